"""A plugin from `dougong new`: built, installed by pip, listed, planned, judged, submitted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def up(start_up, tmp_path_factory):
    return start_up(tmp_path_factory.mktemp("stranger") / "state")


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """Another environment, in which this one's packages are found and nothing is written here."""
    folder = tmp_path_factory.mktemp("machine")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    ours = sysconfig.get_path("purelib")
    (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    return folder


@pytest.fixture(scope="module")
def run(machine, up):
    """Run a module of that environment's Python; its hub is the one that is up."""
    up.line("ready")

    def call(*arguments: object, codes: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run(
            [machine / "venv" / "bin" / "python", "-m", *map(str, arguments)],
            cwd=machine,
            env={
                **os.environ,
                "DOUGONG_HOME": str(up.home),
                "NO_PROXY": "127.0.0.1",
                "COLUMNS": "200",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in codes, f"{arguments}: {done.stdout[-2000:]}\n{done.stderr}"
        return done.stdout

    return call


@pytest.fixture(scope="module")
def installed(run, machine) -> Path:
    """The wheel, built and installed by plain pip."""
    run("dougong", "new", "norm", "demo", "--provider", "stranger", "--directory", "demo")
    pip = ("--disable-pip-version-check", "--no-deps")
    run("pip", "wheel", "-q", "--no-build-isolation", *pip, "-w", "wheels", "./demo")
    (wheel,) = (machine / "wheels").glob("*.whl")
    run("pip", "install", "-q", "--no-index", *pip, wheel)
    return wheel


def test_it_is_listed_beside_the_others(run, installed):
    listed = json.loads(run("dougong", "list", "--json"))
    (mine,) = [each for each in listed if each["name"] == "stranger/demo"]
    assert (mine["contract"], mine["status"]) == ("norm.rms@1", "ok")


def test_it_is_planned_into_a_real_model(run, installed):
    plan = json.loads(
        run("dougong", "plan", "-m", "llama", "-s", "norm.rms=stranger/demo", "--json")
    )
    assert plan["swapped"] == len(plan["modules"]) > 0
    assert {row["operator"] for row in plan["modules"]} == {"stranger/demo"}


def test_it_is_judged_as_it_is_installed(run, installed):
    # 1 where the noise of the host leaves the speed open, which is no finding about the plugin.
    output = run("dougong", "judge", "stranger/demo", "--profile", "quick", "--json", codes=(0, 1))
    (verdict,) = json.loads(output)
    outcomes = {gate["name"]: gate["outcome"] for gate in verdict["gates"]}
    assert verdict["subject"]["operator"]["name"] == "stranger/demo"
    for gate in ("build", "contract", "accuracy", "edges", "gradient", "laws", "determinism"):
        assert outcomes[gate] == "passed"


def test_it_is_submitted_and_gets_its_verdict(run, installed, up, until):
    submission = json.loads(run("dougong", "submit", installed, "--json"))["id"]
    until(
        lambda: up.get(f"/api/v1/submissions/{submission}")["state"] in ("judged", "failed"),
        "a verdict",
        timeout_s=200,
    )
    answer = up.get(f"/api/v1/submissions/{submission}")
    assert answer["state"] == "judged", answer
    assert [each["name"] for each in answer["operators"]] == ["stranger/demo"]
    assert answer["operators"][0]["outcome"] in ("passed", "inconclusive")


def test_the_environment_of_the_tests_never_saw_it():
    done = subprocess.run(
        [sys.executable, "-m", "dougong", "list"], capture_output=True, text=True, check=True
    )
    assert "stranger/demo" not in done.stdout
