#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
hung_fuse.py DIR: a file system on DIR whose server has stopped to listen: it says that it is there and what its root is, and nothing more. To the end of standard input.
What a server has read and not answered nobody can end: only what it has not read lets go who is killed (request_wait_answer() in the kernel's fs/fuse/dev.c).
"""
import ctypes
import os
import struct
import sys
import threading

libc = ctypes.CDLL(None, use_errno=True)
fd = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other"
if libc.mount(b"hung", sys.argv[1].encode(), b"fuse", 0, options.encode()):
    sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")


def serve(times):
    for _ in range(times):
        request = os.read(fd, 1 << 17)
        _, opcode, unique = struct.unpack_from("=IIQ", request)
        if opcode == 26:  # INIT: version 7.12, no wishes
            reply = struct.pack("=IIIIHHI", 7, 12, 0, 0, 0, 0, 4096)
        elif opcode == 3:  # GETATTR of the root: a directory of mode 755
            reply = struct.pack("=QII", 3600, 0, 0) + struct.pack("=QQQQQQIIIIIIIIII", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)
        else:
            raise AssertionError(opcode)
        os.write(fd, struct.pack("=IiQ", 16 + len(reply), 0, unique) + reply)


look = threading.Thread(target=os.stat, args=sys.argv[1:])
look.start()
serve(2)
look.join()
print("there", flush=True)
sys.stdin.read()
