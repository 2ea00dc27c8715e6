"""The workflow that a fork runs: nothing worth stealing is near a stranger's code."""

from __future__ import annotations

from pathlib import Path

import yaml

PATH = Path(__file__).resolve().parents[2] / ".github" / "workflows" / "dougong.yml"


def test_it_holds_no_secret_and_judges_with_the_bases_own_judge() -> None:
    text = PATH.read_text()
    workflow = yaml.safe_load(text)
    # YAML 1.1 reads the word `on` as true.
    assert set(workflow[True]) == {"pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in text
    (job,) = workflow["jobs"].values()
    assert "permissions" not in job
    checkout = next(step for step in job["steps"] if "checkout" in step.get("uses", ""))
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert checkout["with"]["persist-credentials"] is False
    # Words of a stranger reach a shell as variables only.
    assert not any("${{" in step.get("run", "") for step in job["steps"])
