from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from dougong_registry.contributions.models import Contribution
from dougong_registry.contributions.policy import MONTH
from dougong_registry.contributions.roles import role_found
from dougong_registry.contributions.services import contribution_record
from dougong_registry.people.models import Identity


class Community:
    """A few people, a maintainer among them, and time that can be given."""

    def __init__(self) -> None:
        self.now = timezone.now()
        self.count = 0
        self.mia = self.person("mia")
        self.ada = self.person("ada")
        self.ben = self.person("ben")
        role_found(person=self.mia, reason="first")

    def person(self, login: str) -> Identity:
        return Identity.objects.get_or_create(external_id=login, login=login)[0]

    def ago(self, months: float) -> dt.datetime:
        return self.now - months * MONTH

    def record(self, person: Identity, kind: str = "change", **fields: Any) -> Contribution:
        """Record something a month ago, unless told otherwise."""
        self.count += 1
        values: dict[str, Any] = {
            "source": f"test:{self.count}",
            "occurred_at": self.ago(fields.pop("months", 1)),
            "evidence": [{"kind": "url", "id": f"https://example.org/{self.count}"}],
            "level": "L1" if kind == "change" else "",
            **fields,
        }
        return contribution_record(person=person, kind=kind, **values)[0]


@pytest.fixture
def community(db: None) -> Community:
    return Community()
