"""The staff pages; `test_admin.py` runs this in a process where DOUGONG_ADMIN is on."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import models
from django.test import Client

from dougong_registry.administration.site import site
from dougong_registry.audit.models import Entry
from dougong_registry.moderation.models import Action
from dougong_registry.people.models import ApiToken
from dougong_registry.plugins.models import Plugin, Release
from dougong_registry.runs.models import Run, Runner
from dougong_registry.submissions.models import Job

SHOWN = sorted(site._registry, key=lambda model: model._meta.label)


def address(model: type[models.Model], *rest: object) -> str:
    meta = model._meta
    return "/".join(["/admin", meta.app_label, meta.model_name, *map(str, rest), ""])


def enter(login: str, capsys) -> Client:
    """Log in with the password that the command prints."""
    capsys.readouterr()
    call_command("staff", "add", login)
    password = re.search(r"with (\S+);", capsys.readouterr().out).group(1)
    client = Client()
    given = {"username": login, "password": password, "next": "/admin/"}
    assert client.post("/admin/login/", given).status_code == 302
    return client


@pytest.fixture(autouse=True)
def _quick_hashes(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def eve(capsys) -> Client:
    return enter("eve", capsys)


@pytest.fixture
def ben(capsys) -> Client:
    return enter("ben", capsys)


@pytest.fixture
def judged(publish):
    """A release with a run, sealed and on offer."""
    return publish()


def act(
    client: Client, model: type[models.Model], name: str, *pks: int, reason: str = "why"
) -> str:
    form = {"action": name, "_selected_action": pks, "reason": reason, "index": 0}
    answer = client.post(address(model), form, follow=True)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def test_only_staff_gets_in(eve, capsys):
    assert "Log in" in Client().get("/admin/", follow=True).content.decode()
    member = User.objects.create_user("mallory", password="not on the staff")
    outside = Client()
    outside.force_login(member)
    assert outside.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/admin/login/")
    assert outside.get(address(Run)).status_code == 302
    assert eve.get("/admin/").status_code == 200
    call_command("staff", "remove", "eve")
    assert eve.get("/admin/").status_code == 302
    verbs = Entry.objects.filter(target="local:eve").order_by("seq").values_list("verb", flat=True)
    assert list(verbs) == ["staff.added", "staff.removed"]


def test_passwords_are_not_tried_at_speed(settings):
    settings.RATES = {**settings.RATES, "login": (3600, 2)}
    tries = [Client().post("/admin/login/", {"username": "eve", "password": "x"}) for _ in range(3)]
    assert [answer.status_code for answer in tries] == [200, 200, 429]
    assert int(tries[-1]["Retry-After"]) > 0


def pages(*, of_rows: bool) -> list[str]:
    """The list of each kind of row, or the page of its first."""
    if not of_rows:
        return [address(model) for model in SHOWN]
    rows = [(model, model._base_manager.first()) for model in SHOWN]
    return [address(model, row.pk, "change") for model, row in rows if row is not None]


def test_every_page_opens_and_obeys_the_content_security_policy(eve, judged):
    opened = [*pages(of_rows=False), *pages(of_rows=True), "/admin/", "/admin/password_change/"]
    assert len(opened) > 20
    for page in opened:
        answer = eve.get(page)
        assert answer.status_code == 200, page
        policy = answer["Content-Security-Policy"].split("; ")
        assert "default-src 'self'" in policy
        assert not any(rule.startswith(("script-src", "style-src")) for rule in policy)
        html = answer.content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", html), page
        assert not re.search(r"<style\b|<[^>]+\s(style|on[a-z]+)=", html), page
        assert 'name="_save"' not in html


def test_no_secret_is_shown(eve, judged):
    token, job = ApiToken.objects.first(), Job.objects.first()
    told = eve.get(address(ApiToken, token.pk, "change")).content.decode()
    assert token.hint in told
    assert token.token_sha256 not in told
    told = eve.get(address(Job, job.pk, "change")).content.decode()
    assert job.nonce not in told


@pytest.mark.parametrize("superuser", [False, True])
def rows(model: type[models.Model]) -> list[dict[str, object]]:
    return list(model._base_manager.order_by("pk").values())


def refused_everything(client: Client, model: type[models.Model]) -> None:
    """Try every way of the admin to make, change or delete a row."""
    before = rows(model)
    form = {field.name: "forged" for field in model._meta.fields}
    assert client.post(address(model, "add"), form).status_code == 403
    for row in before[:1]:
        assert client.post(address(model, row["id"], "change"), form).status_code == 403
        deleted = client.post(address(model, row["id"], "delete"), {"post": "yes"})
        assert deleted.status_code == 403
        chosen = {"action": "delete_selected", "_selected_action": row["id"], "index": 0}
        client.post(address(model), {**chosen, "post": "yes"})
        client.post(address(model), {"form-0-id": row["id"], "form-TOTAL_FORMS": 1, "_save": 1})
    assert rows(model) == before


@pytest.mark.parametrize("superuser", [False, True])
def test_no_row_can_be_made_changed_or_deleted(eve, judged, superuser):
    User.objects.update(is_superuser=superuser)
    assert Release.objects.get().sealed_at is not None
    for model in SHOWN:
        refused_everything(eve, model)


def test_what_protects_is_done_at_once_by_one_and_needs_a_reason(eve, judged):
    plugin, run, runner = Plugin.objects.get(), Run.objects.get(), Runner.objects.get()
    told = act(eve, Plugin, "quarantine", plugin.pk, reason=" ")
    assert "needs a reason" in told
    assert Plugin.objects.get().status == "active"
    assert "Done: plugin.quarantine of acme-rms" in act(eve, Plugin, "quarantine", plugin.pk)
    assert "Done: run.hold of" in act(eve, Run, "hold", run.pk)
    assert "Done: runner.revoke of cpu-1" in act(eve, Runner, "revoke", runner.pk)
    assert Plugin.objects.get().status == "quarantined"
    assert Run.objects.get().held_reason == "why"
    assert Runner.objects.get().revoked_at is not None
    done = Entry.objects.filter(verb__endswith=".executed").values_list("actor", flat=True)
    assert list(done) == ["local:eve"] * 3


@pytest.mark.parametrize(
    ("model", "protect", "trust"),
    [(Plugin, "quarantine", "lift"), (Run, "hold", "let_stand")],
)
def test_nobody_trusts_again_alone(eve, ben, judged, model, protect, trust):
    row = model._base_manager.get()
    act(eve, model, protect, row.pk)
    held = model._base_manager.values().get()
    assert "Waits for another person" in act(eve, model, trust, row.pk)
    waiting = Action.objects.get(executed_at__isnull=True)
    assert "another person approves it" in act(eve, Action, "approve", waiting.pk)
    assert model._base_manager.values().get() == held
    assert Action.objects.get(pk=waiting.pk).executed_at is None
    assert "Done: " in act(ben, Action, "approve", waiting.pk)
    approved = Action.objects.get(pk=waiting.pk)
    assert (approved.proposer.login, approved.approver.login) == ("eve", "ben")
    assert model._base_manager.values().get() != held


def test_accounts_are_not_made_here(eve):
    assert User not in site._registry
    assert eve.get("/admin/auth/user/").status_code == 404
    own = {config.label for config in apps.get_app_configs() if "dougong" in config.name}
    assert {model._meta.app_label for model in SHOWN} <= own


def test_no_other_page_sees_the_session(eve):
    assert eve.cookies["sessionid"]["path"] == "/admin/"
    assert eve.cookies["sessionid"]["samesite"] == "Strict"
    answer = eve.get("/operators/")
    assert "Cookie" not in answer.get("Vary", "")
