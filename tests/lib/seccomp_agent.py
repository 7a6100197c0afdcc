#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""seccomp_agent.py SOCKET OUT ERRNO

Answers what containers' system call filters ask: takes one "container process state" a connection, writes it as a line to OUT, and lets each call fail with
ERRNO until the process is gone; ERRNO 0 lets it go on. Ends after CONNECTIONS (the 4th word, 1) of them.
"""
import array
import fcntl
import json
import os
import select
import socket
import struct
import sys
import threading

RECV, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, _SEND (linux/seccomp.h)
CONTINUE = 1


def receive(conn):
    """All of it to the end of the stream, and the descriptors that came with its first byte."""
    fds, text = array.array("i"), b""
    while True:
        data, control, _, _ = conn.recvmsg(65536, socket.CMSG_SPACE(64))
        for level, kind, got in control:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(got)
        if not data:
            return json.loads(text), list(fds)
        text += data


def answer(fd, errno):
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while True:
        for _, events in poll.poll(120000) or [(fd, select.POLLHUP)]:
            if not events & select.POLLIN:
                return
            note = bytearray(80)
            try:
                fcntl.ioctl(fd, RECV, note)
                (number,) = struct.unpack_from("Q", note)
                fcntl.ioctl(fd, SEND, struct.pack("QqiI", number, 0, -errno, 0 if errno else CONTINUE))
            except FileNotFoundError:
                continue  # it was killed in between


def serve(fd, errno):
    answer(fd, errno)
    os.close(fd)


def main():
    path, out, errno = sys.argv[1], sys.argv[2], int(sys.argv[3])
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Who waits for the name may connect: before listen(2) that is refused.
    listener.bind(path + ".new")
    listener.listen()
    os.rename(path + ".new", path)
    connections = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    # Who waits for a thousand is ended by who made it.
    listener.settimeout(120 if connections < 1000 else None)
    threads = []
    for _ in range(connections):
        conn, _ = listener.accept()
        try:
            state, fds = receive(conn)
        except ValueError:
            continue  # who connected had nothing to send: it failed, or was killed
        finally:
            conn.close()
        with open(out, "a", encoding="utf-8") as f:
            f.write(json.dumps({"state": state, "descriptors": len(fds)}) + "\n")
        threads.append(threading.Thread(target=serve, args=(fds[0], errno)))
        threads[-1].start()
    for thread in threads:
        thread.join()


main()
