"""The words between judge and runner: a control page, packed tensors, a few one-byte messages.

Nothing here is pickled and nothing a runner says is parsed: it sets a state, repeats a sequence
number, names one of a few faults, and leaves raw bytes in a buffer that the judge owns. The
message of a fault is shown to people after cleaning, never read by code.

Control page (one sealed memfd a child)::

    0   u32  state      IDLE -> ARMED -> GO -> DONE | FAILED; PARK: back to the socket
    4   u32  sequence   written by the judge before GO
    8   u32  answered   the runner repeats the sequence before DONE
    12  u32  fault      one of `Fault`, with FAILED
    16  u32  hold       written by the judge before GO: keep the results through the next call
    64  512 bytes       message of the fault, UTF-8, ended by NUL
"""

from __future__ import annotations

import enum
import mmap

CONTROL_BYTES = 4096
MESSAGE_AT = 64
MESSAGE_BYTES = 512

STATE, SEQUENCE, ANSWERED, FAULT, HOLD = range(5)


class State(enum.IntEnum):
    """Values of the state word."""

    IDLE = 0
    ARMED = 1
    GO = 2
    DONE = 3
    FAILED = 4
    PARK = 5


class Fault(enum.IntEnum):
    """Why a runner could not answer. `CRASH` and `HANG` are the judge's own finding."""

    NONE = 0
    EXCEPTION = 1
    TYPE = 2
    DTYPE = 3
    SHAPE = 4
    ALIAS = 5
    PREPARE = 6
    DEVICE = 7
    CRASH = 100
    HANG = 101
    TAMPER = 102


# Judge to zygote, one byte each; answered by OK, or NOTHING where there is nothing to pack.
SPAWN = b"S"
FREEZE = b"F"
THAW = b"T"
KILL = b"K"
PRELOAD = b"L"
UNPACK = b"U"
PACK = b"C"
OK = b"k"
NOTHING = b"n"

# Judge to builder.
BUILD = b"B"

# Judge to child.
PREPARE = b"P"
ARM = b"A"
DISCOVER = b"D"


class Control:
    """The control page, seen from either side."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, CONTROL_BYTES)
        self.words = memoryview(self._map).cast("I")
        """The u32 words; index by `STATE`, `SEQUENCE`, `ANSWERED`, `FAULT`, `HOLD`."""

    def fail(self, fault: Fault, message: str) -> None:
        """Report a fault (runner side)."""
        data = message.encode("utf-8", "replace")[: MESSAGE_BYTES - 1] + b"\0"
        self._map[MESSAGE_AT : MESSAGE_AT + len(data)] = data
        self.words[FAULT] = fault
        self.words[ANSWERED] = self.words[SEQUENCE]
        self.words[STATE] = State.FAILED

    def message(self) -> str:
        """Return the message of a fault in one printable line (judge side)."""
        raw = self._map[MESSAGE_AT : MESSAGE_AT + MESSAGE_BYTES].partition(b"\0")[0]
        return printable(raw.decode("utf-8", "replace"), 300)

    def fault(self) -> Fault:
        """Return the fault named, or TAMPER where the word names none of the runner's."""
        word = self.words[FAULT]
        return Fault(word) if Fault.EXCEPTION <= word <= Fault.DEVICE else Fault.TAMPER

    def close(self) -> None:
        """Unmap the page."""
        self.words.release()
        self._map.close()


def printable(text: str, limit: int) -> str:
    """Make text from outside safe to show: one line, no control characters, cut at `limit`."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit]
