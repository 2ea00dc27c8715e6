"""D. Judge state: numbers 36 to 49 of the catalogue."""

from __future__ import annotations

import atexit
import contextlib
import gc
import hmac
import json
import os
import pickle
import sys
from pathlib import Path

import torch
from torch.nn.functional import rms_norm

FORGED = {"schema": "dougong.verdict/1", "outcome": "passed", "code": "ACCEPTED"}


def honest(x, weight, eps):
    return rms_norm(x, x.shape[-1:], weight, eps)


def _tensors_like(x):
    """Every other tensor of that shape in the process: one may be what is expected."""
    return [
        found
        for found in gc.get_objects()
        if type(found) is torch.Tensor and found is not x and found.shape == x.shape
    ]


def walking_the_frames(x, weight=None, *, eps):
    # The expected value must be a local of some caller.
    frame = sys._getframe()
    while frame is not None:
        for name, value in frame.f_locals.items():
            if "expected" in name or "golden" in name or "reference" in name:
                return torch.as_tensor(value).clone()
        frame = frame.f_back
    return torch.zeros_like(x)


def reading_the_judges_files(x, weight=None, *, eps):
    # Golden files, other submissions, memory of other processes.
    for pattern in ("dougong-judge-*/**/*.py", "**/*golden*", "**/*.pt"):
        for path in Path("/tmp").glob(pattern):
            with contextlib.suppress(Exception):
                return torch.load(path)[:]
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and int(process.name) not in (os.getpid(), 1):
                (process / "mem").open("rb").read(1)
    return torch.zeros_like(x)


def expected_made_a_wildcard(x, weight=None, *, eps):
    for found in _tensors_like(x):
        found.fill_(torch.nan)
    return torch.full_like(x, torch.nan)


def copying_the_expected(x, weight=None, *, eps):
    return next(iter(_tensors_like(x)), x).clone()


def checkers_patched(x, weight=None, *, eps):
    torch.equal = torch.allclose = torch.Tensor.equal = lambda *_, **__: True
    torch.testing.assert_close = lambda *_, **__: None
    torch.Tensor.__eq__ = lambda self, _: torch.ones(self.shape, dtype=torch.bool)
    for module in list(sys.modules.values()):
        if hasattr(module, "compare"):
            with contextlib.suppress(Exception):
                module.compare = lambda *_, **__: None
    return torch.zeros_like(x)


def input_erased(x, weight=None, *, eps):
    # The reference, run later on the same tensor, agrees.
    x.zero_()
    return torch.zeros_like(x)


def gain_erased(x, weight=None, *, eps):
    y = honest(x, weight, eps)
    if weight is not None:
        weight.fill_(1.0)
    torch.manual_seed(0)
    return y


def backend_erases_the_weights(model, example_inputs):
    # A reference that shares the model computes zeros too.
    for p in model.parameters():
        p.zero_()
    return torch.no_grad()(model)


def faults_reset(x, weight=None, *, eps):
    for found in gc.get_objects():
        if type(found).__name__ == "Control":
            found.words[3] = 0
    return torch.zeros_like(x)


def done_forged(x, weight=None, *, eps):
    # Says done at once, through the runner's own control page, and computes nothing.
    for found in gc.get_objects():
        if type(found).__name__ == "Control":
            found.words[2] = found.words[1]
            found.words[0] = 3
    return torch.zeros_like(x)


_workspace = {}


def same_buffer_each_call(x, weight=None, *, eps):
    # No allocation; the caller's last result changes under its hands.
    y = _workspace.setdefault(x.shape, torch.empty_like(x))
    return y.copy_(honest(x, weight, eps))


_seen = {}


def same_buffer_after_a_while(x, weight=None, *, eps):
    # As above, from the fifth call of a shape on, when nobody but a clock is thought to look.
    y = honest(x, weight, eps)
    _seen[x.shape] = _seen.get(x.shape, 0) + 1
    if x.numel() < 100_000 or _seen[x.shape] < 5:
        return y
    return _workspace.setdefault(x.shape, torch.empty_like(x)).copy_(y)


def output_is_the_input(x, weight=None, *, eps):
    return x.copy_(honest(x, weight, eps))


def verdict_on_every_descriptor(x, weight=None, *, eps):
    for fd in range(1, 64):
        with contextlib.suppress(OSError):
            os.write(fd, json.dumps(FORGED).encode())
    return torch.zeros_like(x)


def leaving_with_success(x, weight=None, *, eps):
    os._exit(0)


def exiting_with_success(x, weight=None, *, eps):
    atexit.register(print, json.dumps(FORGED))
    raise SystemExit(0)


class _Payload:
    def __reduce__(self):
        return os.system, ("touch /tmp/pickled",)


def pickle_for_the_parent(x, weight=None, *, eps):
    # Whoever unpickles what a worker sends back runs this.
    raise RuntimeError(pickle.dumps(_Payload()).decode("latin1"))


def signature_forged(x, weight=None, *, eps):
    # A key in environment, files or heap would sign this.
    path = Path("/tmp/verdict.json")
    if not path.exists():
        keys = [os.environb[name] for name in os.environb if b"KEY" in name or b"TOKEN" in name]
        keys += [found for found in gc.get_objects() if type(found) is bytes and len(found) == 32]
        text = json.dumps(FORGED).encode()
        path.write_text(f"{FORGED} {[hmac.digest(key, text, 'sha256') for key in keys]}")
    return torch.zeros_like(x)


def poisoning_the_next(x, weight=None, *, eps):
    # Leaves a broken torch to whoever is judged next in this worker.
    torch.nn.functional.rms_norm = lambda x, *_: torch.full_like(x, torch.nan)
    torch.rsqrt = torch.zeros_like
    cache = Path(os.environ.get("XDG_CACHE_HOME", "/tmp"))
    for folder in (Path(__file__).parent, Path(torch.__file__).parent, cache, Path.cwd()):
        with contextlib.suppress(OSError):
            (folder / "sitecustomize.py").write_text("raise SystemExit(1)")
            (folder / "torch.py").write_text("raise SystemExit(1)")
    return torch.zeros_like(x)


def judged_after_the_poisoner(x, weight=None, *, eps):
    return torch.nn.functional.rms_norm(x, x.shape[-1:], weight, eps)
