"""The cheats by number, what each attacks, and which gate must refuse it; the honest controls.

The numbers are those of the catalogue of known cheats, 1 to 58: A not doing the work (1 to 15),
B cheaper arithmetic (16 to 20), C time is fake (21 to 35), D judge state (36 to 49), E the host
(50 to 58). Each operator lives in `submission/corpus_cheats/<section>.py`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

RMS = "norm.rms@1"
LAYER = "norm.layer@1"
ATTENTION = "attention.exact@1"
SILU = "activation.silu@1"
OPTIMIZER = "optimizer.step@1"
BACKEND = "backend.inference@1"

SECTIONS = {
    "not_doing_the_work": range(1, 16),
    "cheaper_arithmetic": range(16, 21),
    "time_is_fake": range(21, 36),
    "judge_state": range(36, 50),
    "host": range(50, 59),
}

ACCURACY = (("accuracy", "REJECTED_ACCURACY"),)
EDGE = (("edges", "REJECTED_EDGE"),)
CONTRACT = (("contract", "REJECTED_CONTRACT"),)
TIMED = (("speed", "REJECTED_ACCURACY"),)
SLOW = (("speed", "REJECTED_SLOW"),)
TAMPER = (("speed", "REJECTED_TAMPER"),)
CRASH = (("contract", "REJECTED_CRASH"),)
BUILD = (("build", "REJECTED_BUILD"),)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """An operator of the corpus."""

    name: str
    """Name of the function in its module, with hyphens; the operator is `corpus/<name>`."""
    title: str
    contract: str = RMS
    module: str = ""
    target: str = ""
    """Where it is not the name with underscores."""
    rest: tuple[tuple[str, Any], ...] = ()
    """Further fields of `dougong.Operator`."""
    fast: bool = False
    """In the subset that runs with every test run: one a mechanism."""

    @property
    def operator(self) -> str:
        """Name of the operator."""
        return f"corpus/{self.name}"

    def fields(self) -> dict[str, Any]:
        """Return the metadata that the plugin registers."""
        target = self.target or self.name.replace("-", "_")
        return {
            "name": self.operator,
            "contract": self.contract,
            "target": f"corpus_cheats.{self.module}:{target}",
            "summary": self.title,
            "devices": ["cpu", "cuda"],
            **dict(self.rest),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cheat(Entry):
    """An operator that must not be accepted."""

    number: int
    expected: tuple[tuple[str, str], ...]
    """Gate and code by which it is refused; several where chance decides which comes first."""
    why: str
    """Why it is refused, in a line."""

    def __post_init__(self) -> None:
        """Find the module by the number, where none is given."""
        if not self.module:
            section = next(name for name, numbers in SECTIONS.items() if self.number in numbers)
            object.__setattr__(self, "module", section)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Control(Entry):
    """An honest operator: accepted, or left open because the machine was noisy."""

    module: str = "honest"
    number: int = 0
    """Of the catalogue, where honest use of the same means has one."""


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """A number that no operator on a CPU can carry out."""

    number: int
    title: str
    reason: str


def _cheat(
    number: int,
    name: str,
    title: str,
    expected: tuple[tuple[str, str], ...],
    why: str,
    contract: str = RMS,
    *,
    fast: bool = False,
    module: str = "",
    target: str = "",
    **rest: Any,
) -> Cheat:
    return Cheat(
        number=number,
        name=name,
        title=title,
        expected=expected,
        why=why,
        contract=contract,
        fast=fast,
        module=module,
        target=target,
        rest=tuple(rest.items()),
    )


_WRONG = "its output is held to a golden in another process"
_EVERY = "every call has other values, and every output is compared"

CHEATS = (
    _cheat(
        1,
        "uninitialised",
        "memory that may hold the freed reference output",
        ACCURACY,
        "the reference never was in its process; unwritten outputs hold NaN",
    ),
    _cheat(
        2,
        "own-stale-output",
        "its own earlier output through uninitialised memory",
        ACCURACY,
        _EVERY,
    ),
    _cheat(
        3,
        "cached-by-pointer",
        "cache keyed on the address of the input",
        ACCURACY,
        _EVERY,
        fast=True,
    ),
    _cheat(
        4,
        "cached-by-fingerprint",
        "cache keyed on a sample of the input",
        ACCURACY,
        "one call differs from the one before in a single element that no sample holds",
        fast=True,
    ),
    _cheat(
        5,
        "public-seed-bank",
        "answers made beforehand for the inputs of a public seed",
        ACCURACY,
        "the seed is secret until the verdict stands",
    ),
    _cheat(
        6,
        "learn-then-replay",
        "learns while checked, replays while timed",
        TIMED,
        "the timed calls are checked calls",
        fast=True,
    ),
    _cheat(
        7,
        "superbatch",
        "does the work of four calls in the fourth",
        ACCURACY + TIMED,
        "inputs are shown one call at a time, and outputs are read at each answer",
    ),
    _cheat(
        8,
        "benchmark-detector",
        "cheap from the fourth call over one buffer",
        TIMED + ACCURACY,
        "the timed calls are checked calls",
        fast=True,
    ),
    _cheat(9, "zeros", "constant output", ACCURACY, _WRONG, fast=True),
    _cheat(10, "pass-through", "the input, scaled by the gain", ACCURACY, _WRONG),
    _cheat(
        11,
        "attention-drops-keys",
        "leaves out the last twentieth of the keys",
        ACCURACY,
        "errors are bounded for each row and head, not on average",
        ATTENTION,
        fast=True,
    ),
    _cheat(
        11,
        "partial-adamw",
        "leaves the last twentieth of each parameter",
        ACCURACY,
        "the largest error counts, not the mean",
        OPTIMIZER,
        target="PartialAdamW",
        variant="adamw",
        fast=True,
    ),
    _cheat(
        12,
        "attention-by-structure",
        "takes sparse values in one head for sparse everywhere",
        ACCURACY,
        "workloads have structure of every kind, also beyond the sample",
        ATTENTION,
    ),
    _cheat(
        13,
        "hard-coded-shapes",
        "right for the published sizes only",
        ACCURACY + EDGE,
        "hidden workloads have odd sizes",
    ),
    _cheat(
        15,
        "kernel-that-never-ran",
        "a kernel that fails for long rows, unnoticed",
        ACCURACY,
        "unwritten outputs hold NaN or garbage, and are compared",
    ),
    _cheat(
        16,
        "attention-in-bfloat16",
        "float32 attention computed in bfloat16",
        ACCURACY,
        "the bound is twice the error of float32 itself",
        ATTENTION,
        fast=True,
    ),
    _cheat(
        16,
        "attention-in-float16",
        "float32 attention computed in float16",
        ACCURACY,
        "the bound is twice the error of float32 itself",
        ATTENTION,
    ),
    _cheat(
        16,
        "backend-in-bfloat16",
        "a float32 model run in bfloat16",
        ACCURACY,
        "whole models are held to the error of float32 too",
        BACKEND,
        modes=("infer",),
        fast=True,
    ),
    _cheat(
        16,
        "norm-in-bfloat16",
        "float32 norm computed in bfloat16",
        ACCURACY,
        "the bound is twice the error of float32 itself",
    ),
    _cheat(
        17,
        "attention-without-maximum",
        "softmax without subtracting the maximum",
        EDGE + ACCURACY,
        "very sharp products overflow it",
        ATTENTION,
    ),
    _cheat(
        18,
        "global-precision-flags",
        "global flags that make everybody's arithmetic coarse",
        ACCURACY,
        "baseline and golden are computed in other processes",
    ),
    _cheat(
        19,
        "attention-narrow-accumulator",
        "sums values in half the bits",
        ACCURACY,
        "the bound is twice the error of float32 itself",
        ATTENTION,
    ),
    _cheat(
        19,
        "layer-norm-in-one-pass",
        "variance as E[x2] - E[x]2",
        ACCURACY,
        "inputs with a mean far above their spread cancel it",
        LAYER,
    ),
    _cheat(
        19,
        "adam-without-correction",
        "moments not corrected for their start",
        ACCURACY,
        "first steps are held to the float64 rule",
        OPTIMIZER,
        target="AdamWithoutCorrection",
        variant="adamw",
    ),
    _cheat(
        20,
        "attention-in-a-window",
        "sliding window submitted as exact",
        ACCURACY,
        "exact is exact; approximations have a contract of their own",
        ATTENTION,
    ),
    _cheat(
        20,
        "silu-hard",
        "piecewise linear submitted as SiLU",
        ACCURACY,
        _WRONG,
        SILU,
        module="not_doing_the_work",
    ),
    _cheat(
        21,
        "python-clocks-patched",
        "replaces every clock of Python",
        SLOW,
        "the clock is in the judge's process",
    ),
    _cheat(
        22,
        "native-clock-detoured",
        "overwrites clock_gettime in memory",
        SLOW,
        "the clock is in the judge's process",
    ),
    _cheat(
        24,
        "filled-by-a-thread",
        "returns at once, a thread computes later",
        ACCURACY + TIMED,
        "the output is copied within the clock and read at the answer",
        fast=True,
    ),
    _cheat(
        24,
        "done-before-it-is",
        "says done half way and writes ahead of the judge's reading",
        (*TAMPER, *TIMED, ("accuracy", "REJECTED_TAMPER")),
        "words at random places are read at the answer and met again afterwards",
        fast=True,
    ),
    _cheat(
        25,
        "lazy-subclass",
        "a tensor that computes when it is compared",
        CONTRACT,
        "the type must be torch.Tensor itself, and bytes are compared",
        fast=True,
    ),
    _cheat(26, "sparse-output", "a sparse tensor", CONTRACT, "outputs must be dense"),
    _cheat(26, "meta-output", "a tensor without data", CONTRACT, "outputs must be on the device"),
    _cheat(26, "expanded-row", "one row, expanded", ACCURACY, _WRONG),
    _cheat(
        27,
        "silu-reading-ahead",
        "computes while the inputs are still being shown",
        TIMED + ACCURACY,
        "some cache lines are shown last, nobody knows which",
        SILU,
        fast=True,
    ),
    _cheat(
        27,
        "silu-computed-by-a-daemon",
        "a daemon computes between rounds",
        ACCURACY,
        "the daemon is stopped out of turn and has nothing to read then",
        SILU,
    ),
    _cheat(
        28,
        "backend-answers-beforehand",
        "computes the answer while it is prepared",
        ACCURACY,
        "the example inputs of preparation are never those of a call",
        BACKEND,
        modes=("infer",),
        fast=True,
    ),
    _cheat(
        31,
        "hogging",
        "leaves processes spinning on every core",
        TAMPER,
        "its processes are stopped out of turn, and their time is on the kernel's books",
    ),
    _cheat(
        31,
        "second-processor",
        "uses twice the processors of the baseline",
        TAMPER,
        "it may run on its own processor only, and time beyond its turns is on the kernel's books",
    ),
    _cheat(32, "not-a-number", "NaN as a wildcard", ACCURACY, "NaN matches nothing but NaN"),
    _cheat(
        33,
        "sleeping-in-warm-up",
        "slow at first, then half the work",
        TIMED + ACCURACY,
        "the number of calls hangs on the baseline alone, and all are checked",
    ),
    _cheat(
        36,
        "walking-the-frames",
        "looks for the expected value in the callers' frames",
        ACCURACY,
        "what is expected is in another process",
    ),
    _cheat(
        37,
        "reading-the-judges-files",
        "looks for golden files and other processes' memory",
        ACCURACY,
        "neither is mounted",
    ),
    _cheat(
        38,
        "expected-made-a-wildcard",
        "overwrites what is expected by NaN",
        ACCURACY + CONTRACT,
        "what is expected is in another process; NaN is no wildcard",
    ),
    _cheat(
        39,
        "copying-the-expected",
        "copies a tensor of the same shape out of memory",
        ACCURACY,
        "there is none but the poisoned output",
    ),
    _cheat(
        40,
        "checkers-patched",
        "replaces torch's comparisons",
        ACCURACY,
        "the checker is in another process",
        fast=True,
    ),
    _cheat(
        41,
        "input-erased",
        "erases its input so that the reference agrees",
        CONTRACT,
        "the judge keeps the inputs and compares them afterwards",
        fast=True,
    ),
    _cheat(42, "gain-erased", "overwrites a parameter", CONTRACT, "as its inputs"),
    _cheat(
        42,
        "backend-erases-the-weights",
        "erases the weights of the model it was given",
        ACCURACY,
        "the model was its own copy",
        BACKEND,
        modes=("infer",),
    ),
    _cheat(43, "faults-reset", "clears the error counter", ACCURACY, "there is none to clear"),
    _cheat(
        43,
        "done-forged",
        "raises the flag and computes nothing",
        (
            *ACCURACY,
            ("accuracy", "REJECTED_TAMPER"),
            ("contract", "REJECTED_TAMPER"),
            ("contract", "REJECTED_TIMEOUT"),
        ),
        "the flag says when to look, not what to believe",
        fast=True,
    ),
    _cheat(
        44,
        "same-buffer-each-call",
        "returns one buffer for every call",
        (*CONTRACT, ("accuracy", "REJECTED_CONTRACT")),
        "a result that is still held must not change under its holder",
        fast=True,
    ),
    _cheat(
        44,
        "same-buffer-after-a-while",
        "returns one buffer once it is timed",
        (("speed", "REJECTED_CONTRACT"),),
        "results are held over two calls after timing too",
    ),
    _cheat(44, "output-is-the-input", "returns its input", CONTRACT, "results must be new tensors"),
    _cheat(
        44,
        "skipping-the-copy",
        "writes straight into the judge's buffer",
        CONTRACT,
        "results must be new tensors, not the judge's memory",
        module="time_is_fake",
    ),
    _cheat(
        45,
        "verdict-on-every-descriptor",
        "writes a verdict to every descriptor",
        (("contract", "REJECTED_TAMPER"), ("contract", "REJECTED_CRASH"), *ACCURACY),
        "nothing that comes from it is read as a verdict",
        fast=True,
    ),
    _cheat(
        46,
        "leaving-with-success",
        "exits with status 0",
        CRASH,
        "no answer is no success",
        fast=True,
    ),
    _cheat(
        46,
        "exiting-with-success",
        "raises SystemExit(0)",
        CONTRACT,
        "an exception is no success",
    ),
    _cheat(
        47,
        "pickle-for-the-parent",
        "a pickle with a payload as its message",
        CONTRACT,
        "nothing from it is unpickled; messages are shown, never read",
    ),
    _cheat(
        48, "signature-forged", "signs a verdict of its own", ACCURACY, "there is no key inside"
    ),
    _cheat(
        49,
        "poisoning-the-next",
        "breaks torch for whoever comes next",
        ACCURACY,
        "a process of its own; the next is forked from a clean one",
        fast=True,
    ),
    _cheat(
        50,
        "torch-replaced",
        "writes modules wherever an import may look",
        ACCURACY,
        "the module path is read-only and fixed before it is mounted",
    ),
    _cheat(
        51,
        "environment-and-restart",
        "restarts itself with another environment",
        CRASH,
        "the judge's socket does not survive it",
    ),
    _cheat(
        52,
        "killing-the-judge",
        "kills what it sees",
        CRASH,
        "it sees its own sandbox only",
        fast=True,
    ),
    _cheat(
        52,
        "stopping-the-timer",
        "stops and traces what it sees",
        (*ACCURACY, ("contract", "REJECTED_TIMEOUT"), *CRASH),
        "it sees its own sandbox only",
    ),
    _cheat(
        52,
        "forking-until-it-fails",
        "forks until it is refused",
        (*ACCURACY, ("contract", "REJECTED_TIMEOUT"), *CRASH),
        "processes are limited, and killed with their sandbox",
    ),
    _cheat(
        53, "asking-the-network", "fetches the answer", ACCURACY, "there is no network", fast=True
    ),
    _cheat(54, "reading-secrets", "looks for keys and tokens", ACCURACY, "there are none inside"),
    _cheat(
        55,
        "kernel-surface",
        "knocks at rarely used system calls",
        (*ACCURACY, *CRASH),
        "they are refused, and gain nothing",
    ),
    _cheat(
        56,
        "built-on-import",
        "compiles the host's files while it is imported",
        BUILD,
        "it is built and imported inside the sandbox",
        module="built_on_import",
        target="norm",
        fast=True,
    ),
    _cheat(
        57,
        "contract-rewritten",
        "brings a contract of its own",
        ACCURACY,
        "judge and contracts come from the installed release, never from the wheel",
    ),
    _cheat(
        58,
        "obfuscated",
        "hides what it does and talks to the reviewer",
        ACCURACY,
        "what counts is what it computes",
    ),
)

_COMPILER = (("needs", ("c++-compiler",)),)

CONTROLS = (
    Control(name="torch-op", title="torch's own operator, wrapped", number=14),
    Control(name="plain", title="plain formula"),
    Control(name="slow-but-right", title="float64, twice"),
    Control(name="compiled-by-gxx", title="C++ through a cache on disk", rest=_COMPILER),
    Control(name="compiled-by-torch", title="torch.compile", number=29, rest=_COMPILER),
    Control(name="numpy-kernel", title="numpy"),
    Control(name="joined-threads", title="two threads, joined within the call"),
    Control(name="lazy-import", title="imports at the first call"),
    Control(name="big-memory", title="200 MB of scratch a call"),
    Control(name="printing", title="prints 10 kB a call"),
    Control(name="workspace-by-shape", title="scratch kept by shape"),
    Control(name="other-strides", title="right values in other strides"),
    Control(name="lazily-negated", title="a negative view", number=26),
    Control(name="pausing-at-first", title="tunes itself at first", number=33),
    Control(name="silu", title="activation", contract=SILU),
    Control(
        name="torch-attention",
        title="attention",
        contract=ATTENTION,
    ),
    Control(name="adamw", title="optimizer", contract=OPTIMIZER, rest=(("variant", "adamw"),)),
    Control(name="eager", title="backend", contract=BACKEND, rest=(("modes", ("infer",)),)),
)

SURVIVOR = Control(
    name="judged-after-the-poisoner",
    title="honest, judged after the poisoner",
    module="judge_state",
    number=49,
    fast=True,
)
"""Registered right after number 49's poisoner, in the same distribution."""

ELSEWHERE = (
    Elsewhere(14, "wraps torch's own operator", "honest: it is right and no faster; see controls"),
    Elsewhere(23, "work on another CUDA stream", "no streams on a CPU; threads are number 24"),
    Elsewhere(29, "compile cache of the warm-up", "honest: keyed by shape; see controls"),
    Elsewhere(30, "persisting L2 carve-out", "a CPU has none that a process can set"),
    Elsewhere(34, "clocks and power limits", "needs rights that no sandbox gives; see 51 and 54"),
    Elsewhere(
        35,
        "the same bytes again until lucky",
        "a hub keeps one submission a hash; every verdict's subject is named by its bytes",
    ),
)
