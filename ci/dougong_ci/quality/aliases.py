"""One algorithm under two names: `python -m dougong_ci.quality.aliases [FOLDER ...]`.

Every optimizer judged by `optimizer.train@1` walks one public trajectory: the same parameters and
24 given gradients for everybody. What is kept is the direction of each parameter's movement, as
seen from fixed random directions: the learning rate, which is the author's choice, drops out. Two
operators are one algorithm where those agree (`dougong.training.same`), or where they name the same
algorithm in `Operator.variant`. Only one of each is counted.

Its limits: a rule that shows its difference only after more steps, or only under weight decay, is
taken for its twin (which errs towards fewer); and who adds noise on purpose is not recognised.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from dougong import evidence
from dougong.contracts.definition import Case, Workload
from dougong.contracts.sampling import generator
from dougong.training import Trained, read, same
from dougong_ci.judge.calls import SandboxCalls
from dougong_ci.judge.docket import Docket
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import Profile

_PUBLIC = 0
_DIRECTIONS = 8
_WALK = Workload(name="signature", params={"shapes": "24x16,16,16x24", "steps": 24, "asks": ""})


def signature(docket: Docket, party: Party, profile: Profile) -> list[float]:
    """Have an operator walk the public trajectory and return its signature.

    Raises:
        Fell: the operator fell.
    """
    answers = docket.answers
    case = answers.contract.generate(_WALK, _PUBLIC, torch.float32)
    calls = SandboxCalls(docket.operator.target, party, profile)
    calls.start()
    return signed(case, calls.outputs(answers.shaped(_WALK, torch.float32, case)))


def signed(case: Case, outputs: Sequence[torch.Tensor]) -> list[float]:
    """Return the signature of a walk: its movements, each of length 1, from fixed directions.

    Args:
        case: Where it started.
        outputs: Where it ended, parameter by parameter.
    """
    found = []
    for i, output in enumerate(outputs):
        begin = case.tensors[f"p{i}"]
        if begin is None:
            raise KeyError(f"the case has no tensor p{i}")
        moved = (output.double() - begin.double()).flatten()
        source = generator(_PUBLIC, "signature", str(i))
        seen_from = torch.randn(_DIRECTIONS, len(moved), generator=source, dtype=torch.float64)
        found += (seen_from @ (moved / moved.norm().clamp_min(1e-300))).tolist()
    return [float(f"{value:.6g}") for value in found]


def groups(found: Iterable[Trained]) -> list[list[Trained]]:
    """Return what the judge accepted, in groups that are one algorithm, in the order given."""
    together: list[list[Trained]] = []
    for entry in found:
        if not entry.passed:
            continue
        mine = [group for group in together if any(same(entry, other) for other in group)]
        rest = [group for group in together if group not in mine]
        together = [*rest, [*(e for group in mine for e in group), entry]]
    return together


def main(arguments: list[str] | None = None) -> int:
    """Print what is one algorithm under several names, and how many there are.

    Args:
        arguments: Of the command line; None takes the process's own.
    """
    parser = argparse.ArgumentParser(
        prog="python -m dougong_ci.quality.aliases", description=__doc__
    )
    parser.add_argument("folder", nargs="*", type=Path, default=[Path("contrib"), Path("plugins")])
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    options = parser.parse_args(arguments)
    found = groups(evidence.in_folders(options.folder, read))
    if options.json:
        listed = [[entry.operator for entry in group] for group in found]
        sys.stdout.write(json.dumps({"distinct": len(found), "groups": listed}, indent=2) + "\n")
        return 0
    for group in found:
        if len(group) > 1:
            sys.stdout.write(f"one algorithm: {', '.join(entry.operator for entry in group)}\n")
    total = sum(len(group) for group in found)
    sys.stdout.write(f"{len(found)} algorithms under {total} names\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
