"""`dougong list` and `show`: one line for each thing that is wrong, and the reason by name."""

from __future__ import annotations

import json

import pytest

OPERATOR = """
import dougong
@dougong.hookimpl
def dougong_register_norm():
    return [dougong.Operator(name="{name}", contract="norm.rms@1", target="nowhere:f", {more})]
"""
RAISES = "raise RuntimeError('boom')\n"
WRONG_SIGNATURE = (
    "import dougong\n@dougong.hookimpl\ndef dougong_register_norm(registry): return []\n"
)


@pytest.fixture
def bad_neighbourhood(install):
    """The four kinds of trouble of which a list must speak, and one good operator."""
    install("good", OPERATOR.format(name="good/rms", more='paper="arXiv:1910.07467"'))
    install("raises", RAISES)
    install("twin-a", OPERATOR.format(name="twin/rms", more=""))
    install("twin-b", OPERATOR.format(name="twin/rms", more=""))
    install("wrong", WRONG_SIGNATURE)
    install("elsewhere", OPERATOR.format(name="else/rms", more='devices=("npu",)'))


@pytest.mark.usefixtures("bad_neighbourhood")
class TestBadNeighbourhood:
    def test_each_trouble_is_one_line_of_the_list(self, run):
        done = run("-m", "dougong", "list")
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        for words in (
            ("good/rms", "norm.rms@1", "good 1.0", "ok"),
            ("twin/rms", "duplicate: registered by plugins twin-a (twin-a 1.0) and twin-b"),
            ("else/rms", "unavailable: device npu is not available"),
            ("raises", "broken: RuntimeError: boom (site/raises.py:1)"),
            ("wrong", "broken: ", "registry", "can not be found in the hookspec"),
        ):
            assert sum(all(word in line for word in words) for line in lines) == 1, words

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("raises", "plugin raises is broken: RuntimeError: boom"),
            ("raises/rms", "broken plugins: raises: RuntimeError: boom"),
            ("twin/rms", "ambiguous: registered by plugins twin-a (twin-a 1.0) and twin-b"),
            ("wrong", "plugin wrong is broken"),
        ],
    )
    def test_asking_by_name_gives_the_reason(self, name, reason, run):
        done = run("-m", "dougong", "show", name)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert reason in done.stderr

    def test_show_of_a_missing_device_says_so(self, run):
        assert "unavailable: device npu" in run("-m", "dougong", "show", "else/rms").stdout

    def test_json_has_every_row(self, run):
        rows = json.loads(run("-m", "dougong", "list", "--json").stdout)
        status = {row["name"]: row["status"] for row in rows}
        assert status["good/rms"] == "ok"
        assert status["twin/rms"] == "duplicate"
        assert status["else/rms"] == "unavailable"
        assert status["raises"] == status["wrong"] == "broken"

    def test_words_and_families_filter(self, run):
        done = run("-m", "dougong", "list", "good", "--family", "norm")
        assert "good/rms" in done.stdout
        assert "twin" not in done.stdout
        assert run("-m", "dougong", "list", "no-such-word").stdout == "nothing matches\n"

    def test_show_prints_all_metadata(self, run):
        text = run("-m", "dougong", "show", "good/rms").stdout
        for word in (
            "arXiv:1910.07467",
            "nowhere:f",
            "float32",
            "evidence",
            "none on this machine",
        ):
            assert word in text
        data = json.loads(run("-m", "dougong", "show", "good/rms", "--json").stdout)
        assert data["paper"] == "arXiv:1910.07467"
        assert data["evidence"] == []


def test_kill_switch_lists_nothing_and_says_what_it_left(install, run):
    install("good", OPERATOR.format(name="good/rms", more=""))
    text = run("-m", "dougong", "list", DOUGONG_DISABLE="1").stdout
    assert "good/rms" not in text
    assert "left out by the environment: " in text
