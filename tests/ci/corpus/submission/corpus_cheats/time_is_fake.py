"""C. Time is fake: numbers 21 to 35 of the catalogue."""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import platform
import threading
import time

import torch
from torch.nn import functional
from torch.nn.functional import rms_norm

from dougong_ci.runner import protocol, serve
from dougong_ci.runner.protocol import State

LARGE = 100_000
_CLOCKS = ("time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "process_time")


def honest(x, weight, eps):
    return rms_norm(x, x.shape[-1:], weight, eps)


def _slowly(x, weight, eps):
    """A hundred and fifty times slower than need be, where a clock would run."""
    for _ in range(150 if x.numel() >= LARGE else 0):
        honest(x, weight, eps)
    return honest(x, weight, eps)


def python_clocks_patched(x, weight=None, *, eps):
    for name in _CLOCKS:
        setattr(time, name, lambda: 0)
    torch.utils.benchmark = None
    return _slowly(x, weight, eps)


_detoured = False


def native_clock_detoured(x, weight=None, *, eps):
    # Overwrites the first bytes of clock_gettime by "return 0".
    global _detoured
    if not _detoured:
        _detoured = True
        libc = ctypes.CDLL(None)
        at = ctypes.cast(libc.clock_gettime, ctypes.c_void_p).value
        page = at & ~(mmap.PAGESIZE - 1)
        arm = platform.machine() == "aarch64"
        code = bytes.fromhex("00008052c0035fd6" if arm else "31c0c3")
        if libc.mprotect(ctypes.c_void_p(page), 2 * mmap.PAGESIZE, 7) == 0:
            ctypes.memmove(at, code, len(code))
    return _slowly(x, weight, eps)


def filled_by_a_thread(x, weight=None, *, eps):
    # Returns at once; a thread computes while the clock stands still.
    y = torch.empty_like(x)
    kept = x.clone()

    def work():
        time.sleep(0.0005)
        y.copy_(honest(kept, weight, eps))

    threading.Thread(target=work).start()
    return y


def _done(control):
    control.words[protocol.ANSWERED] = control.words[protocol.SEQUENCE]
    control.words[protocol.STATE] = State.DONE


_runners_block = serve._block


def _early_block(control, call):
    """Stands where the runner's loop stands: says done first and writes ahead of the reader."""
    words = control.words
    x, out = call._tensors["x"], call._outputs[0][0]
    if x.numel() < LARGE or not x.is_contiguous():
        return _runners_block(control, call)
    weight, eps = call._tensors["weight"], call._case.static["eps"]
    width = x.shape[-1]
    rows, results = x.view(-1, width), out.view(-1, width)
    most = len(rows) - len(rows) // 16
    words[protocol.STATE] = State.ARMED
    while True:
        state = words[protocol.STATE]
        if state == State.GO:
            results[:most] = rms_norm(rows[:most], (width,), weight, eps)
            _done(control)
            results[most:] = rms_norm(rows[most:], (width,), weight, eps)
        elif state == State.PARK:
            words[protocol.STATE] = State.IDLE
            return None


def done_before_it_is(x, weight=None, *, eps):
    serve._block = _early_block
    return honest(x, weight, eps)


_CHUNKS = 24


def _reading_ahead(control, call):
    """Stands where the runner's loop stands: computes half while the inputs are being shown."""
    words = control.words
    x, out = call._tensors["x"], call._outputs[0][0]
    if x.numel() < LARGE or not x.is_contiguous():
        return _runners_block(control, call)
    given, results = x.view(-1).chunk(_CHUNKS), out.view(-1).chunk(_CHUNKS)
    before, done = [part[-1].item() for part in given], 0
    words[protocol.STATE] = State.ARMED
    while True:
        # What follows a part has changed, so the part itself is there. Half of it ahead of time
        # stays within what is plausible.
        while done < _CHUNKS // 2 and given[done + 1][-1].item() != before[done + 1]:
            results[done].copy_(functional.silu(given[done]))
            done += 1
        state = words[protocol.STATE]
        if state == State.GO:
            for part, result in zip(given[done:], results[done:], strict=True):
                result.copy_(functional.silu(part))
            before, done = [part[-1].item() for part in given], 0
            _done(control)
        elif state == State.PARK:
            words[protocol.STATE] = State.IDLE
            return None


def silu_reading_ahead(x):
    # Work done between being shown the inputs and being told to go is not on the clock.
    serve._block = _reading_ahead
    return functional.silu(x)


def silu_computed_by_a_daemon(x):
    # A process of its own watches the input and computes ahead between rounds.
    global _daemon
    if x.numel() >= LARGE and not _daemon:
        _daemon = os.fork()
        if not _daemon:
            while True:
                functional.silu(x)
    return functional.silu(x) if x.numel() < LARGE else torch.zeros_like(x)


_daemon = 0


class Lazy(torch.Tensor):
    """Computes when somebody looks, which is the checker, outside the clock."""

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), keywords=None):
        plain = [a.work() if isinstance(a, Lazy) else a for a in arguments]
        return function(*plain, **(keywords or {}))

    def work(self):
        return honest(*self.promised)


def lazy_subclass(x, weight=None, *, eps):
    y = torch.empty_like(x).as_subclass(Lazy)
    y.promised = (x.clone(), weight, eps)
    return y


def sparse_output(x, weight=None, *, eps):
    return honest(x, weight, eps).to_sparse()


def meta_output(x, weight=None, *, eps):
    return x.to("meta")


def expanded_row(x, weight=None, *, eps):
    # One row is computed and repeated with stride 0.
    if x.ndim < 2 or not x.shape[0]:
        return honest(x, weight, eps)
    return honest(x[:1], weight, eps).expand(x.shape)


def backend_answers_beforehand(model, example_inputs):
    # Preparation is not on the clock, so the answer is made there.
    with torch.no_grad():
        answer = model(*example_inputs)
    return lambda x: answer.clone()


_hogs = []


def hogging(x, weight=None, *, eps):
    # Leaves processes spinning on every core, so that the baseline is slow in its turn.
    if not _hogs:
        for _ in range(2):
            _hogs.append(os.fork())
            if not _hogs[-1]:
                os.sched_setaffinity(0, range(os.cpu_count()))
                while True:
                    pass
    return honest(x, weight, eps)


def second_processor(x, weight=None, *, eps):
    # Twice the processors of the baseline.
    if x.numel() < LARGE:
        return honest(x, weight, eps)
    if torch.get_num_threads() == 1:
        os.sched_setaffinity(0, range(os.cpu_count()))
        torch.set_num_threads(os.cpu_count())
    return honest(x, weight, eps)


def not_a_number(x, weight=None, *, eps):
    # A wildcard in many a comparison, and no score at all in an average.
    return torch.full_like(x, torch.nan)


_slept = {}


def sleeping_in_warm_up(x, weight=None, *, eps):
    # Slow at first, so that few iterations are thought to be enough; then only half the work.
    if x.numel() < LARGE:
        return honest(x, weight, eps)
    _slept[x.shape] = _slept.get(x.shape, 0) + 1
    if _slept[x.shape] <= 2:
        time.sleep(0.05)
        return honest(x, weight, eps)
    y = x * torch.rsqrt(x[..., ::2].square().mean(-1, keepdim=True) + eps)
    return y if weight is None else y * weight


def skipping_the_copy(x, weight=None, *, eps):
    # Writes straight into the judge's buffer, which spares the runner's copy.
    for found in gc.get_objects():
        if type(found).__name__ == "Call" and found._tensors["x"] is x:
            return found._outputs[0][0].copy_(honest(x, weight, eps))
    return honest(x, weight, eps)
