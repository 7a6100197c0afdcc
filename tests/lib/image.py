#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Changes images of criu (magic, then length and protobuf message), as a hostile host would.

image.py DIR mount AT PATH   the file bound on AT in the container becomes the host's PATH (mnt.proto: mountpoint 7, source 8)
image.py DIR ids             the user namespace's ids are the host's, all of them (userns.proto: a map is inner 1, outer 2, count 3)
"""
import glob
import struct
import sys


def number(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def as_number(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def parse(data):
    at, fields = 0, []
    while at < len(data):
        key, at = number(data, at)
        kind = key & 7
        if kind == 0:
            value, at = number(data, at)
        else:
            size, at = number(data, at) if kind == 2 else (8 if kind == 1 else 4, at)
            value, at = data[at : at + size], at + size
        fields.append([key >> 3, kind, value])
    return fields


def serialize(fields):
    out = b""
    for field, kind, value in fields:
        out += as_number(field << 3 | kind)
        out += as_number(value) if kind == 0 else as_number(len(value)) + value if kind == 2 else value
    return out


def change(pattern, edit):
    for path in glob.glob(pattern):
        with open(path, "rb") as file:
            data = file.read()
        at, out = 8, data[:8]
        while at < len(data):
            (size,) = struct.unpack_from("<I", data, at)
            fields = parse(data[at + 4 : at + 4 + size])
            edit(fields)
            message = serialize(fields)
            out += struct.pack("<I", len(message)) + message
            at += 4 + size
        with open(path, "wb") as file:
            file.write(out)


def mount(where, source):
    def edit(fields):
        if [7, 2, where.encode()] in fields:
            for field in fields:
                if field[0] == 8:
                    field[2] = source.encode()

    return edit


def ids(fields):
    for field in fields:
        field[2] = serialize([[1, 0, 0], [2, 0, 0], [3, 0, 0xFFFFFFFF]])


folder, what, *words = sys.argv[1:]
if what == "mount":
    change(folder + "/mountpoints-*.img", mount(*words))
elif what == "ids":
    change(folder + "/userns-*.img", ids)
else:
    sys.exit("image.py: " + what + "?")
