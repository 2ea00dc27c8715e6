from __future__ import annotations

import os

from dougong_registry.serve import logs


def test_log_is_capped_while_it_is_written(tmp_path):
    path = tmp_path / "web.log"
    descriptor = logs.open_log(path)
    os.write(descriptor, b"old\n" * 100)
    logs.cap(path, limit_bytes=1000)
    assert path.stat().st_size == 400
    logs.cap(path, limit_bytes=399)
    os.write(descriptor, b"new\n")
    os.close(descriptor)
    assert path.read_text() == "new\n"
    assert (tmp_path / "web.log.1").read_text() == "old\n" * 100


def test_tail_is_the_last_lines(tmp_path):
    path = tmp_path / "web.log"
    assert logs.tail(path) == ""
    path.write_text("".join(f"line {n}\n" for n in range(10_000)))
    assert logs.tail(path, lines=2) == "line 9998\nline 9999"
