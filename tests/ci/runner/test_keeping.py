from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dougong_ci.runner.keeping import Keeper
from dougong_ci.sandbox.cache import Cache, sealed


@pytest.fixture
def archive() -> Iterator[int]:
    fd = sealed(8 << 20)
    yield fd
    os.close(fd)


def test_files_and_their_times_come_back_and_nothing_else_does(tmp_path: Path, archive: int):
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "deep" / "er").mkdir(parents=True)
    there.mkdir()
    (here / "deep" / "er" / "kernel.so").write_bytes(b"code")
    os.utime(here / "deep" / "er" / "kernel.so", ns=(1, 1_700_000_000_123_456_000))
    (here / "link").symlink_to("/etc/passwd")
    os.mkfifo(here / "pipe")
    assert Keeper(here).pack(archive)
    assert Keeper(there).unpack(archive)
    kernel = there / "deep" / "er" / "kernel.so"
    assert kernel.read_bytes() == b"code"
    assert kernel.stat().st_mtime == pytest.approx(1_700_000_000.123456, abs=1e-5)
    assert sorted(each.name for each in there.iterdir()) == ["deep"]


def test_only_what_is_new_is_packed(tmp_path: Path, archive: int):
    (tmp_path / "kernel.so").write_bytes(b"code")
    keeper = Keeper(tmp_path)
    assert keeper.pack(archive)
    assert keeper.unpack(archive)
    assert not keeper.pack(archive)
    (tmp_path / "more.so").write_bytes(b"code")
    assert keeper.pack(archive)


def test_an_empty_cache_and_one_too_big_are_not_packed(tmp_path: Path, archive: int):
    keeper = Keeper(tmp_path)
    assert not keeper.pack(archive)
    (tmp_path / "big").write_bytes(b"x" * (9 << 20))
    assert not keeper.pack(archive)
    assert os.fstat(archive).st_size == 8 << 20


def test_a_packed_cache_takes_the_place_of_what_it_holds():
    with Cache() as cache:
        first, second, both = (os.dup(0) for _ in range(3))
        cache.keep(first, ())
        cache.keep(second, ())
        assert cache.archives() == (first, second)
        cache.keep(both, (first, second))
        assert cache.archives() == (both,)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(first)
    assert cache.archives() == ()
