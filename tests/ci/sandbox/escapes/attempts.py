"""Ways out of the sandbox, each an operator: it tries, and says by an error message how it went.

Every sub-attempt ends in `ok` where it got what it wanted. Those that end in no answer at all
(bombs, murder of the zygote) are judged by what is left standing outside.
"""
# What is tried here are the system calls themselves.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import json
import mmap
import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

FACTS = json.loads(Path(__file__).with_name("facts.json").read_text())
MIB = 1 << 20
CACHE = Path("/tmp/cache")
ZYGOTE = os.getppid()
libc = ctypes.CDLL(None, use_errno=True)


def operator(attempt):
    """Make an attempt callable by the judge as norm.rms@1."""

    @functools.wraps(attempt)
    def call(x, weight=None, *, eps):
        raise RuntimeError(json.dumps(attempt(), separators=(",", ":")))

    return call


def tried(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
    except Exception as error:
        return type(error).__name__
    return "ok"


def system_call(number, *arguments):
    given = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    done = libc.syscall(ctypes.c_long(number), *given)
    return "ok" if done >= 0 else errno.errorcode[ctypes.get_errno()]


def others():
    """Return the processes one sees, oneself among them."""
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def honest(x, weight=None, *, eps):
    import torch

    normed = x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + eps)
    return normed if weight is None else normed * weight


@operator
def network():
    def listener():
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("\0" + FACTS["listener"])

    return {
        "tcp": tried(lambda: socket.create_connection(("1.1.1.1", 53), timeout=2)),
        "loopback": tried(lambda: socket.create_connection(("127.0.0.1", 22), timeout=2)),
        "raw": tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
        "packet": tried(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
        "netlink": tried(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
        "dns": tried(lambda: socket.getaddrinfo("example.org", 80)),
        "host's abstract socket": tried(listener),
    }


@operator
def host_files():
    def environments():
        for pid in others():
            with contextlib.suppress(OSError):
                if b"CANARY" in Path(f"/proc/{pid}/environ").read_bytes():
                    return
        raise FileNotFoundError

    def roots():
        for pid in others():
            if tried(lambda pid=pid: Path(f"/proc/{pid}/root/etc/shadow").read_text()) == "ok":
                return
        raise FileNotFoundError

    return {
        "shadow": tried(lambda: Path("/etc/shadow").read_text()),
        "passwd": tried(lambda: Path("/etc/passwd").read_text()),
        "judge's secret": tried(lambda: Path(FACTS["secret"]).read_text()),
        "other scratch": tried(lambda: os.listdir(FACTS["scratch"])),
        "environ": tried(environments),
        "proc root": tried(roots),
        "run": tried(lambda: os.listdir("/run")),
        "kmsg": tried(lambda: open("/dev/kmsg")),
        "mem": tried(lambda: open("/dev/mem")),
        "kcore": tried(lambda: open("/proc/kcore", "rb").read(1)),
        "host's disk": tried(lambda: open("/dev/vda", "rb").read(1)),
    }


@operator
def writing():
    folders = ["/", "/etc", "/usr", "/usr/lib", "/dev", "/sys", "/proc", "/run", "/var", "/home"]
    folders += [str(Path(__file__).parent), *sys.path]
    # Where the checkout lies below /tmp, so do the folders that its packages are mounted in.
    private = {Path(each).stat().st_dev for each in ("/tmp", "/dev/shm")}
    found = {
        folder
        for folder in folders
        if Path(folder).is_dir()
        and Path(folder).stat().st_dev not in private
        and tried(lambda f=folder: Path(f, "x").write_text("x")) == "ok"
    }
    return {"elsewhere": "ok" if found else "EROFS", "where": ",".join(found) or "-"}


@operator
def mounts_seen():
    """Name what is mounted for writing and is not memory of the sandbox's own."""
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    kinds = {fields[4]: fields[fields.index("-") + 1] for fields in lines}
    writable = [fields[4] for fields in lines if "rw" in fields[5].split(",")]
    host = [p for p in writable if kinds[p] not in ("tmpfs", "proc", "devpts") and p[:5] != "/dev/"]
    return {"writable": ",".join(host) or "-"}


@operator
def other_processes():
    target = ZYGOTE
    word = ctypes.create_string_buffer(8)
    piece = struct.pack("PN", ctypes.addressof(word), 8)
    numbers = FACTS["numbers"]
    return {
        "signal to the judge": tried(lambda: os.kill(FACTS["judge"], signal.SIGTERM)),
        "ptrace": system_call(numbers["ptrace"], 16, target, 0, 0),
        "read memory": system_call(numbers["process_vm_readv"], target, piece, 1, piece, 1, 0),
        "write memory": system_call(numbers["process_vm_writev"], target, piece, 1, piece, 1, 0),
        "/proc/mem": tried(lambda: open(f"/proc/{target}/mem", "rb+")),
        "/proc/maps": tried(lambda: open(f"/proc/{target}/maps").read()),
        "/proc/fd": tried(lambda: os.listdir(f"/proc/{target}/fd")),
        "take a descriptor": system_call(numbers["pidfd_getfd"], os.pidfd_open(target), 0, 0),
        "raise priority": tried(lambda: os.setpriority(os.PRIO_PROCESS, 0, -5)),
        "real time": tried(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
    }


@operator
def user_namespace():
    numbers, new_user = FACTS["numbers"], 0x10000000
    arguments = struct.pack("11Q", new_user, *[0] * 3, signal.SIGCHLD, *[0] * 6)
    return {
        "unshare": system_call(numbers["unshare"], new_user),
        "unshare mount": system_call(numbers["unshare"], 0x20000),
        "clone": system_call(FACTS["clone"], new_user | signal.SIGCHLD, 0, 0, 0, 0),
        "clone3": system_call(435, arguments, len(arguments)),
        "setns": tried(lambda: joined(numbers["setns"])),
        "become root": tried(lambda: os.setresuid(0, 0, 0)),
        "groups": tried(lambda: os.setgroups([0])),
    }


def joined(number):
    fd = os.open("/proc/1/ns/mnt", os.O_RDONLY)
    if (outcome := system_call(number, fd, 0)) != "ok":
        raise OSError(getattr(errno, outcome), "setns")


@operator
def mounting():
    numbers = FACTS["numbers"]
    return {
        "mount": system_call(numbers["mount"], b"none", b"/tmp", b"tmpfs", 0, b""),
        "remount": system_call(numbers["mount"], b"", b"/usr", b"", 32 | 4096, b""),
        "umount": system_call(numbers["umount2"], b"/tmp", 2),
        "pivot_root": system_call(numbers["pivot_root"], b"/tmp", b"/tmp"),
        "chroot": tried(lambda: os.chroot("/tmp")),
        "fsopen": system_call(numbers["fsopen"], b"tmpfs", 0),
        "open_tree": system_call(numbers["open_tree"], -100, b"/", 1),
        "device": tried(lambda: os.mknod("/tmp/disk", stat.S_IFBLK | 0o600, os.makedev(254, 0))),
    }


@operator
def kernel_surface():
    names = (
        "bpf perf_event_open userfaultfd io_uring_setup keyctl add_key request_key kexec_load "
        "init_module finit_module open_by_handle_at name_to_handle_at swapon reboot quotactl acct "
        "memfd_create memfd_secret shmget msgget iopl syslog settimeofday modify_ldt"
    )
    numbers = FACTS["numbers"]
    known = [name for name in names.split() if numbers[name] is not None]
    found = {name: system_call(numbers[name], 0, 0, 0, 0, 0) for name in known}
    wrong = {name: outcome for name, outcome in found.items() if outcome != "EPERM"}
    return wrong or {"all of them": "EPERM"}


@operator
def arguments_of_calls():
    def typed():
        leader, follower = os.openpty()
        import fcntl

        fcntl.ioctl(follower, 0x5412, b"x")
        os.close(leader)

    return {
        "personality": system_call(FACTS["personality"], 0x0040000),
        "TIOCSTI": tried(typed),
        "x32": system_call(0x40000000 | 39) if FACTS["machine"] == "x86_64" else "ENOSYS",
        "32-bit calls": foreign() if FACTS["machine"] == "x86_64" else "ENOSYS",
    }


def foreign():
    """Ask for a process id by the gate of 32-bit programs, whose numbers mean other calls."""
    child = os.fork()
    if not child:
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20; int 0x80; ret
        at = ctypes.addressof(ctypes.c_char.from_buffer(code))
        ctypes.CFUNCTYPE(ctypes.c_int)(at)()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "ok"


@operator
def setuid_program():
    for path in ("/usr/bin/mount", "/bin/mount", "/usr/bin/su", "/usr/bin/passwd"):
        if Path(path).exists() and Path(path).stat().st_mode & stat.S_ISUID:
            child = subprocess.Popen([path, "--version"])
            status = Path(f"/proc/{child.pid}/status").read_text()
            child.wait()
            uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()
            return {"runs as root": "ok" if uids[2] == "0" else "EPERM"}
    return {"no setuid program here": "ENOENT"}


@operator
def fork_bomb():
    """Start sleepers until no more can be, from a program whose fork is cheap."""
    script = "i=0; while [ $i -lt 2000 ]; do sleep 60 & i=$((i+1)); done"
    subprocess.run(["/bin/sh", "-c", script], stderr=subprocess.DEVNULL, timeout=15)
    return {"processes": len(others())}


@operator
def thread_bomb():
    stop = threading.Event()
    try:
        while threading.active_count() < 5000:
            threading.Thread(target=stop.wait, daemon=True).start()
    except RuntimeError:
        pass
    count = threading.active_count()
    stop.set()
    return {"threads": count}


@operator
def output_flood():
    block, written = b"x" * MIB, 0
    streams = [1, 2, os.open("/proc/self/fd/2", os.O_WRONLY)]
    while written < 10 << 30:
        written += os.write(streams[(written // MIB) % 3], block)
    theirs = tried(lambda: os.open(f"/proc/{ZYGOTE}/fd/2", os.O_WRONLY))
    return {"GB written to nowhere": written >> 30, "the zygote's streams": theirs}


@operator
def memory_bomb():
    kept = []
    while True:
        kept.append(bytearray(b"x") * (32 * MIB))


@operator
def memory_bomb_of_many():
    for _ in range(6):
        if os.fork() == 0:
            break
    kept = []
    while True:
        kept.append(bytearray(b"x") * (16 * MIB))


@operator
def shared_memory_bomb():
    kept, block = [], b"x" * (64 * MIB)
    while True:
        kept.append(mmap.mmap(-1, 64 * MIB))
        kept[-1].write(block)


@operator
def shared_files_bomb():
    return {"written MiB": filled(Path("/dev/shm"), 4096)}


@operator
def disk_fill():
    return {"written MiB": filled(Path("/tmp"), 4096)}


@operator
def cache_fill():
    return {"written MiB": filled(CACHE, 4096)}


def filled(folder, most_mib):
    block, written = b"x" * (16 * MIB), 0
    with contextlib.ExitStack() as files, contextlib.suppress(OSError):
        for number in range(most_mib // 256):
            path = folder / f"fill{number}"
            file = files.enter_context(open(path, "wb", buffering=0))
            path.unlink()
            for _ in range(16):
                written += file.write(block)
    return written // MIB


@operator
def cache_tricks():
    (CACHE / "passwd").symlink_to("/etc/passwd")
    (CACHE / "root").symlink_to("/")
    (CACHE / "up").symlink_to("../../../..")
    os.mkfifo(CACHE / "pipe")
    socket.socket(socket.AF_UNIX).bind(str(CACHE / "sock"))
    (CACHE / "plain").write_text("kept")
    os.link(CACHE / "plain", CACHE / "hard")
    (CACHE / "odd\n\x1b[31m").write_text("odd")
    (CACHE / "plain").chmod(0o6777)
    with open(CACHE / "sparse", "wb") as file:
        file.truncate(64 * MIB)
    return {"made": "-"}


@operator
def cache_deep():
    here = os.open(CACHE, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    return {"made": "-"}


@operator
def cache_seen():
    found = sorted(CACHE.iterdir())
    odd = [p.name for p in found if p.is_symlink() or not (p.is_file() or p.is_dir())]
    return {"names": ",".join(repr(p.name)[1:-1] for p in found), "not plain": ",".join(odd) or "-"}


@operator
def killing():
    os.kill(-1, signal.SIGKILL)
    os.kill(ZYGOTE, signal.SIGKILL)
    time.sleep(60)


@operator
def stopping():
    os.kill(ZYGOTE, signal.SIGSTOP)
    return {"zygote stopped": "-"}


@operator
def starving():
    for _ in range(64):
        if os.fork() == 0:
            os.setsid()
            break
    while True:
        pass
