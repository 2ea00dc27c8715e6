"""The system calls that untrusted code is refused, as a classic BPF program built here.

A deny-list: an operator may do what a numerical program does, and not touch namespaces, mounts,
other processes' memory, keys, modules, networks, or the young and large interfaces in which kernel
bugs are found. Refused is answered with an error, never with death, so that libraries which probe
for a feature fall back. Memory without a name (`memfd_create`, System V) is refused too: no
file-system size limits it, and judge and runner share memory that the judge made.

The kernel remembers which calls a filter allows whatever their arguments (Linux 5.11), so that
the length of the list costs nothing per call.
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
from collections.abc import Iterable

DENIED: dict[str, tuple[int | None, int | None]] = {
    # name: number on x86_64, on aarch64
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "open_tree_attr": (467, 467),
    "unshare": (272, 97),
    "setns": (308, 268),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "fanotify_init": (300, 262),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "create_module": (174, None),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "get_kernel_syms": (177, None),
    "query_module": (178, None),
    "finit_module": (313, 273),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "syslog": (103, 116),
    "adjtimex": (159, 171),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "lookup_dcookie": (212, 18),
    "uselib": (134, None),
    "nfsservctl": (180, 42),
    "_sysctl": (156, None),
    "sysfs": (139, None),
}
_CLONE3 = 435
_CLONE, _SOCKET, _SOCKETPAIR = (56, 220), (41, 198), (53, 199)
_IOCTL, _PERSONALITY = (16, 29), (135, 92)

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column of the numbers, and the kernel's AUDIT_ARCH."""
_X32 = 0x40000000

_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_TYPING = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: put characters into a terminal's input
_PLAIN = (0, 0xFFFFFFFF)  # personality: Linux as it is, or only asking

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCH_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def program(machine: str | None = None) -> bytes | None:
    """Return the filter for a machine, ready to be given to the kernel.

    Args:
        machine: As `platform.machine()` names it; None means this one.

    Returns:
        `struct sock_filter` entries, or None where the machine's numbers are not known here.
    """
    found = _MACHINES.get(machine or platform.machine())
    if found is None:
        return None
    column, arch = found
    clone, sockets = _CLONE[column], (_SOCKET[column], _SOCKETPAIR[column])
    code = [
        _op(_LOAD, _ARCH_AT),
        _op(_EQUAL, arch, 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER_AT),
        # x32 is another table of calls under the same architecture.
        _op(_AT_LEAST, _X32, 0, 1),
        _refuse(errno.ENOSYS),
        # Its flags lie in memory, which no filter can read; the C library falls back to clone.
        *_unless(_CLONE3, [_refuse(errno.ENOSYS)]),
        *_unless(clone, _argument(0, [(_ANY_BIT, _NAMESPACES)], errno.EPERM)),
    ]
    for number in sockets:
        code += _unless(number, _only(0, [socket.AF_UNIX], errno.EAFNOSUPPORT))
    code += _unless(
        _IOCTL[column], _argument(1, [(_EQUAL, request) for request in _TYPING], errno.EPERM)
    )
    code += _unless(_PERSONALITY[column], _only(0, _PLAIN, errno.EPERM))
    for numbers in DENIED.values():
        if (denied := numbers[column]) is not None:
            code += _unless(denied, [_refuse(errno.EPERM)])
    return b"".join([*code, _op(_RETURN, _ALLOW)])


def _op(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """Return one instruction; the jumps count instructions to skip."""
    return struct.pack("=HBBI", code, then, otherwise, value)


def _refuse(error: int) -> bytes:
    return _op(_RETURN, _ERRNO | error)


def _unless(number: int, body: list[bytes]) -> list[bytes]:
    """Run the body, which must end in an answer, for one call only."""
    return [_op(_EQUAL, number, 0, len(body)), *body]


def _argument(index: int, tests: Iterable[tuple[int, int]], error: int) -> list[bytes]:
    """Refuse the call where the low word of an argument meets any test, else allow it."""
    body = [_op(_LOAD, _ARGUMENTS_AT + 8 * index)]
    for test, value in tests:
        body += [_op(test, value, 0, 1), _refuse(error)]
    return [*body, _op(_RETURN, _ALLOW)]


def _only(index: int, values: Iterable[int], error: int) -> list[bytes]:
    """Allow the call where the low word of an argument is one of the values, else refuse it."""
    body = [_op(_LOAD, _ARGUMENTS_AT + 8 * index)]
    for value in values:
        body += [_op(_EQUAL, value, 0, 1), _op(_RETURN, _ALLOW)]
    return [*body, _refuse(error)]
