from __future__ import annotations

import pytest

from dougong_registry import environment

KNOWN = {"release": (60.0, 30), "yank": (60.0, 100)}


def test_a_rate_that_is_not_named_keeps_its_default():
    found = environment.rates({"DOUGONG_RATES": "release=10/5"}, **KNOWN)
    assert found == {"release": (10.0, 5), "yank": (60.0, 100)}
    assert environment.rates({}, **KNOWN) == KNOWN


def test_off_lifts_every_rate():
    assert set(environment.rates({"DOUGONG_RATES": "off"}, **KNOWN).values()) == {(0.0, 1)}


def test_a_share_is_between_nothing_and_all():
    assert environment.share({}, "DOUGONG_AUDIT_SHARE", 0.02) == 0.02
    assert environment.share({"DOUGONG_AUDIT_SHARE": "0"}, "DOUGONG_AUDIT_SHARE", 0.02) == 0
    for text in ("2%", "1.5", "-1", "nan"):
        with pytest.raises(ValueError, match="must be a share from 0 to 1"):
            environment.share({"DOUGONG_AUDIT_SHARE": text}, "DOUGONG_AUDIT_SHARE", 0.02)


@pytest.mark.parametrize("word", ["release", "release=10", "release=ten/5", "other=1/1", "=1/1"])
def test_a_rate_that_cannot_be_read_is_an_error_with_the_way_out(word):
    with pytest.raises(ValueError, match="write name=seconds/burst with a name of release, yank"):
        environment.rates({"DOUGONG_RATES": word}, **KNOWN)


def test_a_forge_is_served_whole_or_not_at_all():
    whole = {
        "DOUGONG_FORGE_REPOSITORY": "acme/dougong",
        "DOUGONG_FORGE_REPOSITORY_ID": "1",
        "DOUGONG_FORGE_APP_ID": "2",
        "DOUGONG_FORGE_INSTALLATION_ID": "3",
        "DOUGONG_FORGE_PRIVATE_KEY": "app.pem",
    }
    assert environment.forge({}) == {}
    assert environment.forge(whole)["REPOSITORY_ID"] == "1"
    for name in whole:
        with pytest.raises(ValueError, match=name):
            environment.forge({**whole, name: ""})
    for name in ("DOUGONG_FORGE_REPOSITORY_ID", "DOUGONG_FORGE_REPOSITORY"):
        with pytest.raises(ValueError, match=name):
            environment.forge({**whole, name: "dougong"})
