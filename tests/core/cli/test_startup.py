"""Starting costs no torch: neither the import, nor the help, nor the listing."""

from __future__ import annotations

import pytest

REPORT = "; import sys; print(sorted({'torch', 'typer', 'pluggy', 'rich'} & set(sys.modules)))"


def test_import_loads_no_torch_and_nothing_else_heavy(run):
    assert run("-c", "import dougong" + REPORT).stdout == "[]\n"


def test_help_loads_no_torch_and_no_typer(run):
    code = "from dougong.cli import main; main(['--help'])" + REPORT
    assert run("-c", code).stdout.endswith("[]\n")


@pytest.mark.parametrize("command", ["list", "list --json"])
def test_list_loads_no_torch(command, run):
    code = (
        f"from dougong.cli import main; assert main({command.split()!r}) == 0; "
        "import sys; assert 'torch' not in sys.modules"
    )
    done = run("-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_public_names_are_all_there(run):
    code = "import dougong; print(*[n for n in dougong.__all__ if not hasattr(dougong, n)])"
    assert run("-c", code).stdout == "\n"
