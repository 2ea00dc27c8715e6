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
