#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Changes images of criu (magic, then length and protobuf message), as a hostile host would.

image.py DIR mount AT PATH   the file bound on AT in the container becomes the host's PATH (mnt.proto: mountpoint 7, source 8)
image.py DIR ids             the user namespace's ids are the host's, all of them (userns.proto: a map is inner 1, outer 2, count 3)
image.py DIR caps PID BIT    all sets of that process's main thread have capability BIT, too (core.proto: thread_core 5, creds 10; creds.proto: sets 9 to 12)
image.py DIR filter PID      it has no seccomp filter (core.proto: seccomp_mode 11, seccomp_filter 12)
image.py DIR file NAME OTHER what was opened, mapped, executed or entered as NAME is opened as OTHER, whatever it is (regfile.proto: name 6, and what is checked from 8 on)
image.py DIR flip NAME       one bit in the middle of the file NAME is another
image.py DIR link NAME TO    NAME is a symbolic link to TO
image.py DIR add NAME        there is a file NAME, too
"""
import glob
import os
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


def within(message, path, edit):
    """Applies edit to each message at path, a list of field numbers."""
    if not path:
        return edit(message)
    for field in message:
        if field[0] == path[0] and field[1] == 2:
            inner = parse(field[2])
            within(inner, path[1:], edit)
            field[2] = serialize(inner)


def caps(bit):
    def edit(creds):
        for number in 9, 10, 11, 12:
            words = [field for field in creds if field[0] == number]
            words[bit // 32][2] |= 1 << bit % 32

    return lambda core: within(core, [5, 10], edit)


def no_filter(core):
    def edit(thread):
        thread[:] = [field for field in thread if field[0] not in (11, 12)] + [[11, 0, 0]]

    within(core, [5], edit)


def rename(old, new):
    def edit(reg):
        if [6, 2, old.encode()] in reg:
            reg[:] = [field for field in reg if field[0] < 8]
            for field in reg:
                if field[0] == 6:
                    field[2] = new.encode()

    return lambda entry: within(entry, [3], edit)


def flip(path):
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        data[len(data) // 2] ^= 4
        file.seek(0)
        file.write(data)


def link(path, to):
    if os.path.exists(path):
        os.unlink(path)
    os.symlink(to, path)


folder, what, *words = sys.argv[1:]
if what == "mount":
    change(folder + "/mountpoints-*.img", mount(*words))
elif what == "ids":
    change(folder + "/userns-*.img", ids)
elif what == "caps":
    change(folder + "/core-" + words[0] + ".img", caps(int(words[1])))
elif what == "filter":
    change(folder + "/core-" + words[0] + ".img", no_filter)
elif what == "file":
    change(folder + "/files.img", rename(*words))
elif what == "flip":
    flip(os.path.join(folder, words[0]))
elif what == "link":
    link(os.path.join(folder, words[0]), words[1])
elif what == "add":
    open(os.path.join(folder, words[0]), "x").close()
else:
    sys.exit("image.py: " + what + "?")
