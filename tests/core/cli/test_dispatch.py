"""Every mistake is one line and exit status 2; commands of other parts may be missing or broken."""

from __future__ import annotations

import pytest

from dougong.cli import main


def last_line(capsys) -> str:
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("dougong: ")
    return error


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    names = "list show search plan judge board runs lock sync verify install new up worker submit"
    for name in names.split():
        assert f"\n  {name} " in text
    assert "\x1b[" not in text


def test_no_arguments_is_help(capsys):
    assert main([]) == 0
    assert "Usage: dougong COMMAND" in capsys.readouterr().out


def test_help_is_coloured_where_wanted(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    main(["--help"])
    assert "\x1b[1mdougong\x1b[0m" in capsys.readouterr().out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lst"], "did you mean list"),
        (["frobnicate"], "dougong --help lists them"),
        (["list", "--frob"], "No such option: --frob"),
        (["show"], "Missing argument 'name'"),
        (["show", "no/such"], "no operator 'no/such' is installed"),
        (["new", "kernel", "x"], "family must be one of"),
        (["new", "norm", "Bad Name"], "name must be lower-case"),
        (["new", "norm", "x", "--contract", "activation.silu"], "must be one of norm.rms"),
        (["install", "absent.whl"], "there is no wheel absent.whl"),
        (["install", "acme/rms"], "no hub is set"),
        (["submit", "no-such-folder"], "no-such-folder"),
        (["submit", "."], "no hub is set"),
        (["search", "rms", "--hub", "ftp://x"], "must begin with http"),
        (["search", "rms", "--sort", "beauty"], "--sort must be one of relevance, name"),
        (["runs"], "no hub is set"),
        (["board"], "no hub is set"),
        (["board", "norm.rmz"], "got 'norm.rmz'; close: norm.rms@1"),
        (["plan", "-m", "x", "-s", "norm.rms"], "must be SELECTOR=OPERATOR"),
        (["plan", "-m", "x", "-s", "a=b", "--mode", "dream"], "mode must be infer or train"),
        (["plan", "-m", "no_such:f", "-s", "a=b"], "cannot be built: ModuleNotFoundError"),
        (["plan", "-m", "math:pi", "-s", "a=b"], "cannot be built: TypeError"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOUGONG_HOME", str(tmp_path))
    monkeypatch.setenv("DOUGONG_DISABLE", "1")
    for name in ("DOUGONG_HUB_URL", "DOUGONG_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert main(arguments) == 2
    assert message in last_line(capsys)


COMMANDS = "[dougong.commands]\nfrob = frobber:frob\ngone = not_there_at_all:gone\n"
FROB = """
def frob(times: int = 1) -> int:
    "Frob."
    print("frob " * times)
    return times - 1
"""


def test_command_of_another_distribution_runs(install, run):
    install("frobber", FROB, entry_points=COMMANDS)
    done = run("-m", "dougong", "frob", "--times", "2")
    assert (done.returncode, done.stdout) == (1, "frob frob \n")
    assert run("-m", "dougong", "frob").returncode == 0


def test_missing_command_is_shown_as_such(install, run):
    install("frobber", FROB, entry_points=COMMANDS)
    text = run("-m", "dougong", "--help").stdout
    assert "Added by others" in text
    assert "not_there_at_all:gone  (missing: there is no module not_there_at_all)" in text
    done = run("-m", "dougong", "gone")
    assert done.returncode == 2
    assert done.stderr == (
        "dougong: command 'gone' cannot be loaded: ModuleNotFoundError: "
        "No module named 'not_there_at_all'\n"
    )


def test_broken_command_is_one_line(install, run):
    install("frobber", "raise RuntimeError('two\\nlines')", entry_points=COMMANDS)
    done = run("-m", "dougong", "frob")
    assert done.returncode == 2
    assert done.stderr == ("dougong: command 'frob' cannot be loaded: RuntimeError: two lines\n")


def test_completion_sees_every_command(run):
    done = run(
        "-m", "dougong", _DOUGONG_COMPLETE="complete_bash", COMP_WORDS="dougong ver", COMP_CWORD="1"
    )
    assert "verify" in done.stdout
