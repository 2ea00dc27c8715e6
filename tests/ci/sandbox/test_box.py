from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from dougong import contracts
from dougong.contracts import evaluate
from dougong_ci.judge.child import Fell
from dougong_ci.judge.memory import image
from dougong_ci.judge.party import Party
from dougong_ci.judge.request import PROFILES
from dougong_ci.sandbox import Cache, Mounts, probe

CODE = Path(__file__).parents[1] / "candidates" / "probes.py"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What an operator sees from inside, with a secret in the judge's home and environment."""
    if not probe().isolated:
        pytest.skip("no bubblewrap sandbox can be made here")
    home = tmp_path_factory.mktemp("home")
    (home / "secret").write_text("s")
    folder = tmp_path_factory.mktemp("probe") / "plugin"
    folder.mkdir()
    (folder / "probes.py").write_text(CODE.read_text().replace("@HOME@", str(home)))
    contract = contracts.contract("norm.rms@1")
    case = contract.generate(contract.workloads[0], 1, torch.float32)
    outputs = evaluate.natives(contract, case)[0]
    os.environ["CANARY"] = "1"
    with Party(probe(), Mounts(plugin=folder), PROFILES["quick"], None) as party:
        child = party.spawn()
        buffers = child.prepare(contract.id, "probes:look", case, outputs)
        with child.armed(), pytest.raises(Fell) as fell:
            child.call(image(buffers.in_plan, case.tensors), 20.0, timed=False)
    del os.environ["CANARY"]
    return json.loads(str(fell.value).partition(": ")[2])


def test_nothing_of_a_submission_is_loaded_before_the_fork(tmp_path: Path):
    """`import torch` tries modules that may be absent, opt_einsum and pydot among them."""
    if not probe().isolated:
        pytest.skip("no bubblewrap sandbox can be made here")
    for place, name in (("plugin", "opt_einsum"), ("needed", "pydot")):
        (tmp_path / place).mkdir()
        (tmp_path / place / f"{name}.py").write_text("import os\nos._exit(7)\n")
    mounts = Mounts(plugin=tmp_path / "plugin", extra=(tmp_path / "needed",))
    with Party(probe(), mounts, PROFILES["quick"], None) as party:
        party.wait_ready()


def test_there_is_no_network(seen: dict):
    assert seen["network"] == "OSError"
    assert set(seen["interfaces"]) <= {"lo"}


def test_the_home_of_the_judge_and_its_secrets_are_not_there(seen: dict):
    assert seen["home"] == "FileNotFoundError"
    assert seen["shadow"] == "FileNotFoundError"


def test_nothing_but_tmp_can_be_written(seen: dict):
    assert (seen["write"], seen["tmp"]) == ([], "ok")


def test_the_environment_is_empty_and_other_processes_are_invisible(seen: dict):
    assert seen["env"] == []
    assert seen["pids"] <= 4


def test_nobody_inside_is_root(seen: dict):
    assert seen["uid"] != 0


JUDGE = """
import sys
from pathlib import Path
from dougong_ci.judge import JudgeRequest, judge
judge(
    JudgeRequest(path=Path(sys.argv[1]), operators=("trial/hanging",)),
    lambda event: print(event["kind"], event.get("gate"), flush=True),
)
"""


def running_below(pid: int) -> list[int]:
    done = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    children: dict[int, list[int]] = {}
    for line in done.stdout.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_no_process_outlives_a_judge_that_is_killed(candidates: Path):
    judge = subprocess.Popen(
        [sys.executable, "-c", JUDGE, str(candidates)], stdout=subprocess.PIPE, text=True
    )
    assert judge.stdout is not None
    for line in judge.stdout:
        if line.split() == ["gate_started", "contract"]:
            break
    inside = running_below(judge.pid)
    assert inside, "the sandbox must be running while its operator hangs"
    judge.send_signal(signal.SIGKILL)
    judge.wait()
    judge.stdout.close()
    deadline = time.monotonic() + 20
    while (left := [pid for pid in inside if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def test_time_and_memory_of_the_whole_sandbox_are_known_where_the_kernel_counts_them():
    tier = probe()
    if tier.groups is None:
        pytest.skip(f"no control groups here: {tier.detail}")
    with Party(tier, Mounts(), PROFILES["quick"], None) as party:
        party.wait_ready()
        used_s, peak_bytes = party.cpu_time_s(), party.peak_memory_bytes()
    assert used_s is not None
    assert 0.1 < used_s < 60
    assert peak_bytes is None or 50 << 20 < peak_bytes < tier.memory_bytes


def test_the_tier_says_what_is_in_force():
    tier = probe()
    if not tier.isolated:
        pytest.skip(f"no bubblewrap sandbox can be made here: {tier.detail}")
    whole = tier.filtered and tier.groups is not None
    assert tier.name == ("T3" if whole else "T2")
    assert ("no seccomp" in tier.detail) is not tier.filtered
    assert tier.without_groups().name == "T2"
    assert "no cgroups" in tier.without_groups().detail


CACHING = """
import os
path = os.environ["XDG_CACHE_HOME"] + "/kernel.so"
found = os.path.exists(path)
with open(path, "w") as file:
    file.write("code")
raise RuntimeError(f"found: {found}")
"""


def test_what_a_candidate_compiled_is_there_in_its_next_sandbox(tmp_path: Path):
    if not probe().isolated:
        pytest.skip("no bubblewrap sandbox can be made here")
    tmp_path.chmod(0o755)
    (tmp_path / "caching.py").write_text(CACHING)
    contract = contracts.contract("norm.rms@1")
    case = contract.generate(contract.workloads[0], 1, torch.float32)
    outputs = evaluate.natives(contract, case)[0]
    said = []
    with Cache() as cache:
        for _ in range(2):
            mounts = Mounts(plugin=tmp_path, cache=cache)
            with Party(probe(), mounts, PROFILES["quick"], None) as party:
                with pytest.raises(Fell) as fell:
                    party.spawn().prepare(contract.id, "caching:run", case, outputs)
                said.append(str(fell.value))
    assert ["found: False" in said[0], "found: True" in said[1]] == [True, True], said
