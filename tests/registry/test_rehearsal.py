"""A made-up hub has what it was asked for, and its pages are drawn."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from dougong_registry.campaigns.models import Campaign
from dougong_registry.contributions.models import Contribution, Month, Standing
from dougong_registry.forge.models import Pull
from dougong_registry.notices.models import Notice
from dougong_registry.plugins.models import Plugin
from dougong_registry.reruns.models import Rerun
from dougong_registry.runs.models import Lesson, Run

SIZE = {
    "plugins": 4,
    "releases": 8,
    "measurements": 40,
    "people": 30,
    "contributions": 300,
    "pulls": 8,
    "seed": 2,
}


@pytest.fixture
def rehearsed(db: None, settings, tmp_path) -> Client:
    settings.STATIC_ROOT = tmp_path
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    call_command("rehearse", **SIZE)
    return Client()


def test_it_makes_what_it_was_asked_for_and_into_an_empty_hub_only(rehearsed):
    assert Plugin.objects.count() == 4
    assert Contribution.objects.exclude(kind="void").count() == 300
    assert Contribution.objects.filter(kind="void").count() == 3
    assert {"change", "review", "triage", "report"} < set(
        Contribution.objects.values_list("kind", flat=True)
    )
    assert Standing.objects.filter(role="maintainer").exists()
    assert Month.objects.filter(responses__gt=0, reviewed__gt=0).exists()
    assert Pull.objects.count() == 8
    assert Notice.objects.exists()
    assert Rerun.objects.exists()
    assert Campaign.objects.filter(ended_at__isnull=True).count() == 2
    trained = Run.objects.filter(contract="optimizer.train@1", outcome="passed")
    assert Lesson.objects.count() == 2 * trained.filter(superseded_at=None).count() > 0
    with pytest.raises(CommandError, match="empty hub only"):
        call_command("rehearse", **SIZE)


def test_its_pages_are_drawn(rehearsed):
    for address in ("/community/", "/roles/", "/people/", "/people/person-1/", "/api/v1/people"):
        assert rehearsed.get(address).status_code == 200, address
    assert b"Made up for a rehearsal" in rehearsed.get("/api/v1/contributions").content
