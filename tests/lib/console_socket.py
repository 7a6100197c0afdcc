#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Holds a terminal as conmon does: console_socket.py SOCKET [TYPED] takes one from the socket, types, prints what it says until its end."""
import os
import socket
import sys

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
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
