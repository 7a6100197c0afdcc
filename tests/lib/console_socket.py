#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Holds a terminal as conmon does: console_socket.py SOCKET [TYPED] takes one from the socket, types, prints what it says until its end.

console_socket.py --all SOCKET holds all that come, one after the other, until it is killed.
"""
import os
import socket
import sys

forever = sys.argv[1] == "--all"
listener = socket.socket(socket.AF_UNIX)
# Who waits for the name may connect: before listen(2) that is refused.
name = sys.argv[2] if forever else sys.argv[1]
listener.bind(name + ".new")
listener.listen(16)
os.rename(name + ".new", name)
held = None
while forever:
    extra = listener.accept()[0].recvmsg(64, 256)[1]
    if held is not None:
        os.close(held)
    held = int.from_bytes(extra[0][2][:4], sys.byteorder) if extra else None
peer = listener.accept()[0]
data, extra, _, _ = peer.recvmsg(64, 256)
master = int.from_bytes(extra[0][2][:4], sys.byteorder)
assert data and os.isatty(master), "no terminal came"
if len(sys.argv) > 2:
    os.write(master, sys.argv[2].encode())
while True:
    try:
        said = os.read(master, 4096)
    except OSError:  # EIO: no process has the other end any more
        break
    if not said:
        break
    os.write(1, said)
