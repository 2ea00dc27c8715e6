from __future__ import annotations

import json
import os
import stat
import subprocess

import pytest

from dougong_registry.serve.errors import UpError
from dougong_registry.serve.home import MARK, Home


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "state")
    made.make()
    return made


def test_folder_is_for_its_owner_only(home):
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_folder_that_cannot_be_made_names_the_way_out(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UpError, match="choose another with --home DIR"):
        Home(tmp_path / "file" / "state").make()


def test_second_holder_is_refused_and_told_who_holds(home):
    with home.hold(), pytest.raises(UpError, match=f"process {os.getpid()}.*--home DIR"):
        Home(home.path).hold().__enter__()
    with Home(home.path).hold():
        pass


def test_hub_file_is_private_and_whole(home):
    home.write_hub_file(url="http://127.0.0.1:8000", token="dgp_x")
    home.write_hub_file(url="http://127.0.0.1:8001", token="dgp_y")
    assert stat.S_IMODE(home.hub_file.stat().st_mode) == 0o600
    assert json.loads(home.hub_file.read_text()) == {
        "url": "http://127.0.0.1:8001",
        "token": "dgp_y",
        "pid": os.getpid(),
    }
    assert [path.name for path in home.path.iterdir() if "hub.json" in path.name] == ["hub.json"]


def test_socket_of_a_deep_home_goes_to_a_short_private_folder(tmp_path):
    short, deep = Home(tmp_path), Home(tmp_path / ("x" * 100))
    assert short.socket_path().is_relative_to(tmp_path) or len(os.fsencode(tmp_path)) > 80
    moved = deep.socket_path()
    assert len(os.fsencode(moved)) <= 100
    assert stat.S_IMODE(moved.parent.stat().st_mode) == 0o700
    assert moved == deep.socket_path() != Home(tmp_path / ("y" * 100)).socket_path()


def test_socket_folder_of_someone_else_is_not_used(tmp_path):
    deep = Home(tmp_path / ("z" * 100))
    first = deep.socket_path().parent
    first.chmod(0o777)
    assert deep.socket_path().parent != first


def test_leftovers_are_ended_and_nothing_else(home, tmp_path):
    ours = subprocess.Popen(["sleep", "1000"], env={**os.environ, MARK: str(home.path)})
    other = subprocess.Popen(["sleep", "1000"], env={**os.environ, MARK: str(tmp_path / "other")})
    try:
        assert home.kill_leftovers() == [ours.pid]
        assert ours.wait(30) < 0
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()
