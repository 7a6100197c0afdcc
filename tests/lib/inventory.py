#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What a container has, seen from its host, one fact a line, such that two hosts say the same of the same container.

inventory.py INIT facts    descriptors, mappings, mounts, ids, rights, signals, limits, schedules, groups...: to be compared by diff
inventory.py INIT memory   "NAME KIB" of each kind of memory: to be compared within a few percent

INIT is the host's number of its init. Left out is what a move has to change: numbers of inodes, mounts and devices, the host's names of interfaces,
what is left of a timer, and what grows with time.
"""
import os
import re
import stat
import sys


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "backslashreplace")
    except OSError as error:
        return "(%s)" % error.strerror


def tree(pid):
    pids = [pid]
    for task in os.listdir("/proc/%d/task" % pid):
        for child in read("/proc/%d/task/%s/children" % (pid, task)).split():
            pids += tree(int(child))
    return pids


def inner(text):
    return re.search(r"^NSpid:.*?(\d+)$", text, re.M).group(1)


def look(path):
    """What a link in /proc leads to, without the numbers that name a thing for the time it lives."""
    try:
        target = os.readlink(path)
    except OSError as error:
        return "(%s)" % error.strerror
    return re.sub(r"^(socket|pipe|mnt|net|user|pid|uts|ipc|cgroup|time):\[\d+\]$", r"\1", target)


STATUS = """Name Umask State NSpid NStgid NSpgid NSsid Uid Gid Groups FDSize Threads SigPnd ShdPnd SigBlk SigIgn SigCgt CapInh CapPrm CapEff CapBnd CapAmb
 NoNewPrivs Seccomp Seccomp_filters Cpus_allowed_list Mems_allowed_list THP_enabled VmLck VmPin TracerPid""".split()


def status(text):
    for line in text.splitlines():
        key, value = line.split(":", 1)
        words = value.split()
        if key in STATUS and key != "FDSize":
            # Of numbers in nested namespaces the innermost; who is not stopped or dead works now and then.
            yield "status %s %s" % (key, words[-1] if key.startswith("NS") else " ".join(words).replace("D (disk sleep)", "S (sleeping)").replace("R (running)", "S (sleeping)"))


def fdinfo(text):
    for line in text.splitlines():
        if re.match(r"mnt_id|ino:|scm_fds|lock:", line):
            # A lock's process and inode are the host's.
            if line.startswith("lock:"):
                words = line.split()
                yield "lock %s %s" % (" ".join(words[2:5]), " ".join(words[-2:]))
            continue
        if line.startswith("flags:"):
            # O_DIRECTORY means something to open(2) only, and criu leaves it out.
            line = "flags: %o" % (int(line.split()[1], 8) & ~os.O_DIRECTORY)
        line = re.sub(r"(ino|sdev|fhandle|fhandle-bytes|fhandle-type|f_handle):\s*[0-9a-f]+", r"\1", line)
        yield re.sub(r"^it_value: .*", "it_value", re.sub(r"eventfd-id: \d+", "eventfd-id", re.sub(r"\s+", " ", line)))


def descriptors(pid):
    for number in sorted(os.listdir("/proc/%d/fd" % pid), key=int):
        path = "/proc/%d/fd/%s" % (pid, number)
        mode = os.stat(path).st_mode if os.path.exists(path) else 0
        yield "fd %s %s %s: %s" % (number, look(path), oct(stat.S_IFMT(mode)), "; ".join(sorted(fdinfo(read("/proc/%d/fdinfo/%s" % (pid, number))))))


def mappings(pid):
    """Each mapping with its place, rights, name and flags."""
    head, out = "", []
    for line in read("/proc/%d/smaps" % pid).splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            words = line.split(None, 5)
            head = "%s %s %s %s" % (words[0], words[1], words[2], words[5] if len(words) > 5 else "")
        elif line.startswith("VmFlags:"):
            flags = line[8:].split()
            # criu maps private files writable for a moment, to fill them, and "accountable" stays of it (prepare_vmas() in criu/mem.c).
            if "wr" not in flags and "ac" in flags:
                flags.remove("ac")
            # Shared memory without a file is a memfd of criu's that is called as the kernel calls it (open_shmem() in criu/shmem.c).
            out.append("map %s [%s]" % (head.replace("/memfd:/dev/zero", "/dev/zero"), " ".join(flags)))
    return out


def mounts(pid):
    number, out = {}, []
    for line in read("/proc/%d/mountinfo" % pid).splitlines():
        left, right = line.split(" - ")
        left, right = left.split(), right.split()
        out.append((left, right))
        number[left[0]] = left[4]
    for left, right in out:
        options = re.sub(r"(lowerdir|upperdir|workdir|lowerdir\+)=[^,]*|uuid=on|index=off|metacopy=[a-z]*", "", right[2] if len(right) > 2 else "")
        tags = " ".join(re.sub(r"\d+", "", tag) for tag in left[6:])
        yield "mount %s on %s: %s %s %s %s %s" % (left[4], number.get(left[1], "-"), left[3] if right[0] != "devpts" else "", left[5], tags, right[0], ",".join(filter(None, options.split(","))))


def scheduled(path):
    words = read(path + "/stat").rsplit(")", 1)[1].split()
    # Fields 18, 19, 40, 41 of proc_pid_stat(5); the list begins with field 3.
    return "priority %s nice %s realtime %s policy %s" % tuple(words[n - 3] for n in (18, 19, 40, 41))


def spaces(pid, init):
    for kind in sorted(os.listdir("/proc/%d/ns" % init)):
        mine, of_init = ("/proc/%d/ns/%s" % (p, kind) for p in (pid, init))
        yield "ns %s %s" % (kind, "own" if not os.path.exists(mine) or os.stat(mine).st_ino != os.stat(of_init).st_ino else "init's")


def groups(pid):
    top = read("/proc/%d/cgroup" % init)
    for line in read("/proc/%d/cgroup" % pid).splitlines():
        name, path = line.split(":", 2)[1:]
        base = [b.split(":", 2)[2] for b in top.splitlines() if b.split(":", 2)[1] == name]
        yield "group %s %s" % (name, os.path.relpath(path, base[0]) if base else path)


def timers(text):
    return [line for line in text.splitlines() if not line.startswith("ID")]


def process(pid):
    path = "/proc/%d" % pid
    text = read(path + "/status")
    me = inner(text)
    if "State:\tZ" in text:
        # A zombie is never asked for its rights again, and gets none back.
        return ["%s: %s" % (me, fact) for fact in status(text) if re.match("status (Name|State|NS.*|Uid|Gid) ", fact)]
    facts = list(status(text)) + [scheduled(path)]
    facts += ["limits " + re.sub(r"\s+", " ", line) for line in read(path + "/limits").splitlines()[1:]]
    facts += ["%s %s" % (f, read(path + "/" + f).strip().replace("\0", " ")) for f in ("comm", "cmdline", "environ", "personality", "oom_score_adj", "timerslack_ns", "coredump_filter", "loginuid", "setgroups")]
    facts += ["%s %s" % (f, look(path + "/" + f)) for f in ("exe", "cwd", "root")]
    facts += ["owner of /proc %d" % (os.stat(path + "/environ").st_uid != os.stat("/proc/%d/environ" % init).st_uid)]
    facts += ["timer " + line for line in timers(read(path + "/timers")) if not line.startswith("notify") or "pid" not in line]
    facts += list(descriptors(pid)) + mappings(pid) + list(mounts(pid)) + list(spaces(pid, init)) + list(groups(pid))
    for task in sorted(os.listdir(path + "/task"), key=int):
        thread = "%s/task/%s" % (path, task)
        text = read(thread + "/status")
        facts += ["thread %s: %s" % (inner(text), fact) for fact in list(status(text)) + [scheduled(thread)]]
    return ["%s: %s" % (me, fact) for fact in facts]


def limits():
    """The files of its control groups that hold settings."""
    for line in read("/proc/%d/cgroup" % init).splitlines():
        kinds, path = line.split(":", 2)[1:]
        for root in ("/sys/fs/cgroup/" + kinds, "/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
            folder = root + path
            if not os.path.isdir(folder) or "skep" not in path:
                continue
            for top, _, files in sorted(os.walk(os.path.dirname(folder) if folder.endswith("/ct") else folder)):
                for file in sorted(files):
                    name = os.path.join(top, file)
                    if os.stat(name).st_mode & 0o222 and not re.search(r"procs$|threads$|tasks$|usage|stat|reclaim|force_empty|event_control|pressure|peak|failcnt|max_usage|kmem|cgroup.kill|clone_children", file):
                        yield "group %s %s/%s: %s" % (kinds, os.path.relpath(top, folder), file, read(name).strip().replace("\n", "; "))
            break


def memory():
    out = {}
    for pid in tree(init):
        text = read("/proc/%d/smaps_rollup" % pid)
        for key in ("Rss", "Pss", "Anonymous", "Swap", "Locked"):
            found = re.search(r"^%s:\s+(\d+)" % key, text, re.M)
            out[key] = out.get(key, 0) + (int(found.group(1)) if found else 0)
    for line in read("/proc/%d/cgroup" % init).splitlines():
        kinds, path = line.split(":", 2)[1:]
        for root in ("/sys/fs/cgroup/" + kinds, "/sys/fs/cgroup"):
            text = read(root + path + "/memory.stat") if "memory" in kinds or not kinds else ""
            for old, new in (("total_rss", "anon"), ("total_shmem", "shmem")):
                found = re.search(r"^(?:%s|%s) (\d+)" % (old, new), text, re.M)
                if found:
                    out["group " + new] = int(found.group(1)) >> 10
    return ["%s %d" % item for item in sorted(out.items())]


init = int(sys.argv[1])
if sys.argv[2] == "facts":
    print("\n".join(sorted(fact for pid in tree(init) for fact in process(pid)) + list(limits())))
else:
    print("\n".join(memory()))
