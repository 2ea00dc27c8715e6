"""The compiled library as found, chosen and missed."""

from __future__ import annotations

import subprocess
import sys

import pytest

ATTEND = """
import torch
from dougong_kernels import definition, exact, library
q, k, v = torch.randn(3, 1, 2, 70, 16)
torch.testing.assert_close(exact.attention(q, k, v), definition.attention(q, k, v))
found = library.kernels()
print(found and found.level)
"""


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


@pytest.mark.parametrize("level", ["portable", "avx2", "avx512", "avx512_bf16", ""])
def test_a_level_can_be_asked_for(compiled, level):
    done = run(ATTEND, DOUGONG_KERNELS_LEVEL=level)
    if level not in ("portable", "") and "this processor must have it" in done.stderr:
        pytest.skip(f"this processor has no {level}")
    assert done.stdout.strip() == (level or compiled.level), done.stderr


def test_an_unknown_level_is_refused_with_those_there_are(compiled):
    done = run(ATTEND, DOUGONG_KERNELS_LEVEL="mmx")
    assert "must be portable, avx2, avx512 or avx512_bf16" in done.stderr
    assert "got 'mmx'" in done.stderr


def test_without_the_library_torch_computes_and_one_line_says_so():
    hide = "from pathlib import Path; from dougong_kernels import library as it; "
    done = run(hide + "it.PATH = Path('/nowhere')\n" + ATTEND)
    assert done.stdout.strip() == "None", done.stderr
    assert done.stderr.count("install a C++ compiler") == 1


def test_metadata_loads_no_torch():
    code = (
        "import sys; from dougong.catalogue import Catalogue; "
        "assert Catalogue.load(['dougong_kernels']).entries; sys.exit('torch' in sys.modules)"
    )
    assert run(code).returncode == 0
