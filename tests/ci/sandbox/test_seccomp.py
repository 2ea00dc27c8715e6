from __future__ import annotations

import errno
import socket
import struct

import pytest

from dougong_ci.sandbox import seccomp

ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL = "allow", "kill"
# Where the two machines differ; the third is what an honest program also calls.
NUMBERS = {
    "x86_64": {"clone": 56, "socket": 41, "ioctl": 16, "personality": 135, "read": 0},
    "aarch64": {"clone": 220, "socket": 198, "ioctl": 29, "personality": 92, "read": 63},
}


def verdict(code: bytes, arch: int, number: int, *arguments: int) -> str:
    """Run a classic BPF program as the kernel does."""
    data = struct.pack("=IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    steps = list(struct.iter_unpack("=HBBI", code))
    at = accumulator = 0
    while True:
        operation, then, otherwise, value = steps[at]
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif operation == 0x06:
            names = {0x7FFF0000: ALLOW, 0x80000000: KILL}
            return names.get(value) or errno.errorcode[value & 0xFFFF]
        else:
            held = {
                0x15: accumulator == value,
                0x35: accumulator >= value,
                0x45: accumulator & value != 0,
            }
            at += then if held[operation] else otherwise


@pytest.fixture(params=sorted(ARCH))
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(machine: str, number: int, *arguments: int) -> str:
    code = seccomp.program(machine)
    assert code is not None
    return verdict(code, ARCH[machine], number, *arguments)


def test_every_denied_call_is_refused_and_ordinary_ones_are_not(machine: str):
    column = sorted(ARCH, reverse=True).index(machine)
    for name, numbers in seccomp.DENIED.items():
        if numbers[column] is not None:
            assert (name, ask(machine, numbers[column])) == (name, "EPERM")
    denied = {numbers[column] for numbers in seccomp.DENIED.values()}
    others = set(range(470)) - denied - {435, *NUMBERS[machine].values()}
    answers = {ask(machine, number, socket.AF_UNIX) for number in others}
    assert answers == {ALLOW}


def test_calls_of_another_architecture_are_killed(machine: str):
    code = seccomp.program(machine)
    assert code is not None
    assert verdict(code, 0x40000003, 20) == KILL
    assert verdict(code, ARCH[{"x86_64": "aarch64"}.get(machine, "x86_64")], 0) == KILL
    assert ask(machine, 0x40000000 | 39) == "ENOSYS"


def test_threads_start_and_namespaces_do_not(machine: str):
    clone = NUMBERS[machine]["clone"]
    assert ask(machine, clone, 0x003D0F00) == ALLOW
    for namespace in range(7):
        assert ask(machine, clone, 0x02000000 << namespace & 0x7E020000 or 0x20000) == "EPERM"
    assert ask(machine, 435) == "ENOSYS"


def test_only_unix_sockets_are_to_be_had(machine: str):
    number = NUMBERS[machine]["socket"]
    assert ask(machine, number, socket.AF_UNIX) == ALLOW
    for family in set(range(46)) - {socket.AF_UNIX}:
        assert ask(machine, number, family) == "EAFNOSUPPORT"
    # The kernel looks at the low word only, and so must the filter.
    assert ask(machine, number, socket.AF_INET | 1 << 32) == "EAFNOSUPPORT"


def test_terminals_take_no_typing_and_the_personality_stays(machine: str):
    assert ask(machine, NUMBERS[machine]["ioctl"], 0, 0x5412) == "EPERM"
    assert ask(machine, NUMBERS[machine]["ioctl"], 0, 0x5401) == ALLOW
    assert ask(machine, NUMBERS[machine]["personality"], 0xFFFFFFFF) == ALLOW
    assert ask(machine, NUMBERS[machine]["personality"], 0x0040000) == "EPERM"


def test_a_machine_whose_numbers_are_unknown_has_no_filter():
    assert seccomp.program("riscv64") is None
