from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dougong_ci.sandbox import uids
from dougong_ci.sandbox.errors import SandboxError

HOLDER = """
import sys, time
from pathlib import Path
from dougong_ci.sandbox.uids import Lease
print(Lease(Path(sys.argv[1])).uid, flush=True)
time.sleep(60)
"""


def test_no_two_sandboxes_have_the_same_user_until_it_is_given_back(tmp_path: Path):
    first, second = uids.Lease(tmp_path), uids.Lease(tmp_path)
    assert (first.uid, second.uid) == (uids.FIRST, uids.FIRST + 1)
    first.close()
    first.close()
    third = uids.Lease(tmp_path)
    assert third.uid == uids.FIRST
    second.close()
    third.close()


def test_two_judges_share_none_and_a_killed_one_keeps_none(tmp_path: Path):
    judge = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert judge.stdout is not None
    assert int(judge.stdout.readline()) == uids.FIRST
    mine = uids.Lease(tmp_path)
    assert mine.uid == uids.FIRST + 1
    judge.kill()
    judge.wait()
    judge.stdout.close()
    theirs = uids.Lease(tmp_path)
    assert theirs.uid == uids.FIRST
    mine.close()
    theirs.close()


def test_when_all_are_taken_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uids, "COUNT", 1)
    held = uids.Lease(tmp_path)
    with pytest.raises(SandboxError, match="all 1 users"):
        uids.Lease(tmp_path)
    held.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a folder of another user's")
def test_a_folder_of_somebody_else_is_not_trusted(tmp_path: Path):
    os.chown(tmp_path, 1, 1)
    with pytest.raises(SandboxError, match="must belong"):
        uids.Lease(tmp_path)
