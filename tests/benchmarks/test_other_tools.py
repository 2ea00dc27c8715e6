from __future__ import annotations

import builtins
import dataclasses
import io
import json
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

_ROOT = Path(__file__).parents[2]
_CORPUS = _ROOT / "tests" / "ci" / "corpus"
sys.path[:0] = [str(_ROOT / "benchmarks"), str(_CORPUS)]

from catalogue import CHEATS, CONTROLS, Entry  # noqa: E402
from other_tools import judged, show  # noqa: E402
from other_tools.contained import OUT, run  # noqa: E402
from other_tools.extract import extract  # noqa: E402
from other_tools.kernel_hub import Run  # noqa: E402
from other_tools.row import Row, counts  # noqa: E402
from other_tools.static_scan import Scan  # noqa: E402

from dougong_ci.sandbox import probe  # noqa: E402

_PACKAGE = _CORPUS / "submission" / "corpus_cheats"
_NOTHING = Scan("valid", False, ())


def _row(name: str, *, cheat: bool, run: Run, scan: Scan = _NOTHING) -> Row:
    return Row(
        name=name,
        title=f"what {name} does",
        number=9 if cheat else 0,
        cheat=cheat,
        run=run,
        scan=scan,
        strict=scan,
        judged=judged.Judged("accuracy" if cheat else "kept", None),
    )


ROWS = (
    _row("zeros", cheat=True, run=Run("refused", "decode")),
    _row("replay", cheat=True, run=Run("reported", speedup=3.0)),
    _row("leaving", cheat=True, run=Run("silent")),
    _row("hidden", cheat=True, run=Run("endless"), scan=Scan("hacked", True, ("OBFUSCATED_EXEC",))),
    _row("plain", cheat=False, run=Run("reported", speedup=0.9)),
)


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _scopes(child)


@pytest.mark.parametrize("entry", [*CHEATS, *CONTROLS], ids=lambda entry: entry.name)
def test_every_operator_of_the_corpus_stands_alone_in_its_source(entry: Entry) -> None:
    target = entry.fields()["target"].partition(":")[2]
    source = extract(_PACKAGE, entry.module, target)
    table = symtable.symtable(source, entry.name, "exec")
    defined = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
    asked = {s.get_name() for scope in _scopes(table) for s in scope.get_symbols() if s.is_global()}
    assert target in defined
    assert asked - defined - set(dir(builtins)) <= {"__file__", "__builtins__"}
    assert "corpus_cheats" not in source


def test_what_an_operator_does_not_use_is_left_out() -> None:
    source = extract(_PACKAGE, "not_doing_the_work", "zeros")
    assert "def zeros" in source
    assert source.count("def ") == 1
    assert "import time" not in source


def test_a_name_that_the_module_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(KeyError, match="zeros"):
        extract(_PACKAGE, "not_doing_the_work", "no_such_operator")


def test_the_foot_counts_each_outcome_once() -> None:
    said = dict(counts(ROWS))
    runs = said["kernels benchmark"]
    assert runs.startswith("1 of 4 cheats refused by its check, 1 ended by an error")
    assert "1 left with exit status 0" in runs
    assert "1 reported as verified (1 of them as faster" in runs
    assert runs.endswith("1 of 1 honest reported (as 0.90x to 0.90x)")
    assert said["KernelGuard"].startswith("1 of 4 cheats filtered, 0 suspicious")
    assert said["Dougong"].startswith("not run")


def test_a_row_survives_being_kept_in_a_file() -> None:
    assert [Row.of(dataclasses.asdict(row)) for row in ROWS] == list(ROWS)


def test_the_page_keeps_its_words_around_the_generated_part(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- begin: compare_tools.py -->\nold\n<!-- end: compare_tools.py -->\nafter\n"
    )
    show.write(page, show.markdown(ROWS, "measured here"))
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| 9 | what replay does (`replay`) | verified, 3.00x | nothing | accuracy |" in text


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("words\n")
    with pytest.raises(ValueError, match="begin: compare_tools"):
        show.write(page, "generated")


def test_the_table_fits_a_terminal_of_120_columns() -> None:
    written = io.StringIO()
    show.show(ROWS, Console(file=written, width=120))
    lines = written.getvalue().splitlines()
    assert max(map(len, lines)) <= 120
    assert any("filtered: obfuscated exec" in line for line in lines)


def test_what_the_self_test_found_is_read_by_operator() -> None:
    refused = {"gate": "accuracy", "code": "REJECTED_ACCURACY", "right": True}
    left_open = {"gate": "", "code": "INCONCLUSIVE_NOISE", "right": True}
    rows = [{"entry": {"name": "zeros"}} | refused, {"entry": {"name": "plain"}} | left_open]
    found = judged.read(json.dumps({"took_s": 1.0, "found": rows}))
    assert found["zeros"] == judged.Judged("accuracy", True)
    assert found["plain"] == judged.Judged("inconclusive noise", True)


@pytest.mark.skipif(not probe().isolated, reason="needs bubblewrap")
def test_a_tool_runs_where_a_cheat_can_neither_stay_nor_write() -> None:
    script = f"touch {_ROOT}/planted /usr/planted; echo words >&2; echo {{}} > {OUT}/report.json"
    done = run(["sh", "-c", script], [_PACKAGE], environment={}, timeout_s=20)
    assert done.status == 0
    assert done.words.endswith("words\n")
    assert done.files == {"report.json": "{}\n"}
    assert not (_ROOT / "planted").exists()
    assert not Path("/usr/planted").exists()


@pytest.mark.skipif(not probe().isolated, reason="needs bubblewrap")
def test_a_tool_that_does_not_end_is_ended() -> None:
    done = run(["sleep", "60"], [], environment={}, timeout_s=1)
    assert done.status is None
