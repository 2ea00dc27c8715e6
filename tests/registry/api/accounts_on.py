"""The account pages; `test_accounts.py` runs this in a process where GitHub is set up."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from dougong_registry.accounts.tasks import sessions_forget
from dougong_registry.audit.models import Entry
from dougong_registry.celery import app
from dougong_registry.people.models import ApiToken, Identity
from dougong_registry.plugins.models import Plugin
from dougong_registry.publishing.models import Publisher

PUBLIC = ("/", "/operators/", "/plugins/", "/plugins/acme-rms/", "/people/", "/publish/", "/audit/")


def in_front(person: int, login: str, **more: str) -> list[str]:
    """Put somebody in front of GitHub; return what it found wrong so far."""
    form = {"person": json.dumps({"id": person, "login": login}), **more}
    said = httpx.post(f"{settings.GITHUB['url']}/test/person", data=form).json()
    return said["wrong"]


def sign_in(person: int, login: str) -> Client:
    """Go all the way round, as a browser does."""
    client = Client(enforce_csrf_checks=True)
    in_front(person, login)
    answer = client.get(callback(client))
    assert (answer.status_code, answer["Location"]) == (302, "/account/"), answer.content
    return client


def callback(client: Client, page: str = "/account/sign-in/", **more: str) -> str:
    """Begin to sign in; return where GitHub sends the browser back to."""
    answer = post(client, "/account/github/login/?process=connect&next=//evil", page, **more)
    assert answer.status_code == 302
    back = urlsplit(httpx.get(answer["Location"]).headers["Location"])
    assert (back.netloc, back.path) == ("testserver", "/account/github/login/callback/")
    return f"{back.path}?{back.query}"


def post(client: Client, path: str, page: str = "/account/", **form: Any) -> Any:
    """Send a form of a page, with what stops other sites from sending it."""
    html = client.get(page).content.decode()
    (secret, *_) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', html)
    return client.post(path, {"csrfmiddlewaretoken": secret, **form})


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


@pytest.fixture
def signed() -> Client:
    return sign_in(101, "ada")


@pytest.fixture
def submitter(publish) -> None:
    """`acme-rms`, owned by who is 101 at GitHub."""
    publish()
    owner = Identity.objects.create(provider="github", external_id="101", login="ada-before")
    Plugin.objects.update(owner=owner)


def make(client: Client, **form: Any) -> Any:
    return post(client, "/account/tokens/", **{"scope": ["submit"], "days": "30", **form})


def plain_of(answer: Any) -> str:
    assert answer.status_code == 201, text(answer)
    (plain,) = re.findall(r"dgp_[\w-]{43}", answer.content.decode())
    return plain


def yank(token: str) -> int:
    return (
        Client()
        .post(
            "/api/v1/plugins/acme-rms/releases/1.0/yank",
            {"reason": "why"},
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )
        .status_code
    )


def test_a_person_is_the_number_and_nothing_of_theirs_is_kept_but_the_login(submitter):
    signed = sign_in(101, "ada")
    page = text(signed.get("/account/"))
    assert "github:101" in page
    assert "acme-rms" in page
    assert Identity.objects.get(external_id="101").login == "ada"
    kept = SocialAccount.objects.get()
    assert (kept.uid, kept.extra_data) == ("101", {"login": "ada"})
    account = User.objects.get(username="github-101")
    assert (account.email, account.first_name, account.is_staff) == ("", "", False)
    assert not account.has_usable_password()
    assert not SocialToken.objects.exists()
    assert not EmailAddress.objects.exists()
    assert not ApiToken.objects.filter(identity__provider="github").exists()


def test_a_renamed_person_keeps_all_and_who_takes_the_login_gets_nothing(submitter):
    sign_in(101, "ada")
    renamed = sign_in(101, "ada-l")
    assert "acme-rms" in text(renamed.get("/account/"))
    heir = sign_in(202, "ada")
    page = text(heir.get("/account/"))
    assert "github:202" in page
    assert "acme-rms" not in page
    assert User.objects.count() == 2
    assert sorted(Identity.objects.filter(provider="github").values_list("login", flat=True)) == [
        "ada", "ada-l",
    ]  # fmt: skip


def test_who_is_nobody_sees_nothing_and_is_sent_to_sign_in():
    stranger = Client()
    assert stranger.get("/account/")["Location"] == "/account/sign-in/"
    for path in ("tokens/", "revoke-all/", "tokens/1/revoke/", "publishers/1/remove/"):
        assert stranger.get(f"/account/{path}").status_code == 405
        assert stranger.post(f"/account/{path}")["Location"] == "/account/sign-in/"
    assert Client(enforce_csrf_checks=True).post("/account/github/login/").status_code == 403
    assert stranger.get("/account/github/login/").status_code == 405


def test_a_forged_answer_of_github_signs_nobody_in(signed):
    in_front(666, "mallory")
    mallory = Client(enforce_csrf_checks=True)
    mallorys = callback(mallory)
    # Their code in somebody else's browser, and in one that never began.
    for victim in (Client(), signed):
        answer = victim.get(mallorys)
        assert answer.status_code == 401
        assert "not signed in" in text(answer)
    assert "github:101" in text(signed.get("/account/"))
    assert mallory.get(mallorys).status_code == 302
    assert Client().get(mallorys).status_code == 401
    other = Client(enforce_csrf_checks=True)
    wrong = re.sub("code=[0-9a-f]+", "code=made-up", callback(other))
    assert other.get(wrong).status_code == 401


def test_where_to_go_on_to_and_connecting_cannot_be_asked_for(signed):
    """Whoever signs in over somebody's session is a person of their own."""
    in_front(202, "eve")
    back = callback(signed, "/account/", next="https://evil.example", process="connect")
    assert signed.get(back)["Location"] == "/account/"
    assert "github:202" in text(signed.get("/account/"))
    assert SocialAccount.objects.count() == User.objects.count() == 2


def test_who_says_no_to_github_is_not_signed_in():
    client = Client(enforce_csrf_checks=True)
    in_front(101, "ada", declines="1")
    answer = client.get(callback(client), follow=True)
    assert "Nothing has changed" in text(answer)
    assert not User.objects.exists()


def test_a_token_is_shown_once_and_does_what_was_chosen(submitter, signed):
    answer = make(signed, scope=["submit", "yank"], days="7")
    assert "no-store" in answer["Cache-Control"]
    plain = plain_of(answer)
    row = ApiToken.objects.get(hint=plain[:12])
    assert (row.scope, (row.expires_at - timezone.now()).days) == ("submit yank", 6)
    page = signed.get("/account/").content.decode()
    assert plain not in page
    assert row.hint in page
    assert "never" in page
    assert yank(plain) == 200
    assert "never" not in text(signed.get("/account/"))
    narrow = plain_of(make(signed, plugin="acme-rms"))
    assert ApiToken.objects.get(hint=narrow[:12]).scope == "submit:plugin/acme-rms"
    assert yank(narrow) == 403
    assert Entry.objects.filter(verb="token.created", actor="github:101").count() == 2


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"scope": ["admin"]}, "admin is not one of the available choices"),
        ({"scope": []}, "choose at least one"),
        ({"days": "9999"}, "9999 is not one of the available choices"),
        ({"plugin": "a b; yank"}, "name one plugin"),
        ({"plugin": "acme yank admin"}, "name one plugin"),
        ({"plugin": "acme\nadmin"}, "name one plugin"),
    ],
)
def test_a_token_that_may_not_be_is_not_made(signed, form, words):
    answer = make(signed, **form)
    assert answer.status_code == 422
    assert words in text(answer)
    assert not ApiToken.objects.filter(identity__provider="github").exists()


def test_one_token_is_revoked_by_its_owner_only(submitter, signed):
    plain = plain_of(make(signed, scope=["yank"]))
    row = ApiToken.objects.get(hint=plain[:12])
    eve = sign_in(202, "eve")
    make(eve)
    post(eve, f"/account/tokens/{row.pk}/revoke/")
    assert yank(plain) == 200
    post(signed, f"/account/tokens/{row.pk}/revoke/")
    assert yank(plain) == 401
    assert "revoked" in text(signed.get("/account/"))
    (entry,) = Entry.objects.filter(verb="token.revoked")
    assert (entry.actor, entry.target) == ("github:101", "github:101")


@pytest.mark.parametrize("by", ["herself", "operator"])
def test_revoking_everything_ends_tokens_and_sessions_on_every_machine(submitter, signed, by):
    elsewhere, eve = sign_in(101, "ada"), sign_in(202, "eve")
    tokens = [plain_of(make(each, scope=["yank"])) for each in (signed, elsewhere)]
    if by == "herself":
        assert "Every token" in text(
            signed.get(post(signed, "/account/revoke-all/")["Location"], follow=True)
        )
    else:
        call_command("tokens", "revoke-all", "github:101")
    assert [yank(token) for token in tokens] == [401, 401]
    for client in (signed, elsewhere):
        assert client.get("/account/")["Location"] == "/account/sign-in/"
    assert eve.get("/account/").status_code == 200
    assert "github:101" in text(sign_in(101, "ada").get("/account/"))


def test_sessions_that_are_over_are_forgotten_and_no_others(signed):
    assert "forget sessions that are over" in app.conf.beat_schedule
    mine = Session.objects.get()
    over = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    Session.objects.create(session_key="over", session_data="", expire_date=over)
    sessions_forget()
    assert Session.objects.get().pk == mine.pk


def test_signing_out_ends_the_session_itself(signed):
    copied = Client()
    copied.cookies = signed.cookies.copy()
    assert copied.get("/account/").status_code == 200
    assert post(signed, "/account/sign-out/").status_code == 302
    for client in (signed, copied):
        assert client.get("/account/")["Location"] == "/account/sign-in/"


TRUST = {"repository_id": "1296269", "repository_owner_id": "583231", "workflow": "release.yml"}


def test_an_owner_trusts_a_workflow_and_ends_it_and_nobody_else_does(submitter, signed):
    eve = sign_in(202, "eve")
    address = "/account/plugins/acme-rms/publishers/"
    make(eve)
    denied = post(eve, address, **TRUST)
    assert (denied.status_code, Publisher.objects.count()) == (403, 0)
    assert "belongs to another submitter" in text(denied)
    wrong = post(signed, address, **{**TRUST, "workflow": "../evil.yml"})
    assert (wrong.status_code, Publisher.objects.count()) == (422, 0)
    assert "without its folder" in text(wrong)
    assert post(signed, address, **{**TRUST, "repository_id": "acme/rms"}).status_code == 422
    assert post(signed, address, **TRUST, repository="acme/rms").status_code == 302
    row = Publisher.objects.get()
    assert "release.yml of acme/rms" in text(signed.get("/account/"))
    assert post(eve, f"/account/publishers/{row.pk}/remove/").status_code == 403
    assert post(signed, f"/account/publishers/{row.pk}/remove/").status_code == 302
    assert Publisher.objects.get().removed_at is not None
    verbs = Entry.objects.filter(actor="github:101").values_list("verb", flat=True)
    assert {"publisher.added", "publisher.removed"} <= set(verbs)


def test_public_pages_are_the_same_for_who_is_signed_in_and_can_be_kept(
    submitter, signed, django_assert_num_queries
):
    signed.get("/account/")
    for path in PUBLIC:
        answer = signed.get(path)
        assert answer.status_code == 200
        assert "Cookie" not in answer.get("Vary", "")
        assert not answer.cookies
        assert "ada@example" not in answer.content.decode()
        assert answer.content == Client().get(path).content
        assert 'href="/account/"' in answer.content.decode()
    with django_assert_num_queries(0):
        signed.get("/publish/")


def test_cookies_stay_below_the_account_and_are_not_read_by_scripts(signed):
    assert set(signed.cookies) == {"sessionid", "csrftoken"}
    for cookie in signed.cookies.values():
        assert (cookie["path"], cookie["samesite"]) == ("/account/", "Lax")
    assert signed.cookies["sessionid"]["httponly"]
    staff = Client()
    staff.get("/admin/login/")
    assert (staff.cookies["csrftoken"]["path"], staff.cookies["csrftoken"]["samesite"]) == (
        "/admin/", "Strict",
    )  # fmt: skip


def test_an_account_is_no_staff_and_staff_has_no_account(signed):
    answer = signed.get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/admin/login/")
    boss = Client()
    boss.force_login(User.objects.create_user("boss", is_staff=True))
    assert boss.get("/account/")["Location"] == "/account/sign-in/"


@pytest.mark.parametrize("path", ["/account/sign-in/", "/account/"])
def test_the_pages_obey_the_policy(submitter, signed, path):
    answer = (signed if path == "/account/" else Client()).get(path)
    assert answer.status_code == 200
    policy = dict(
        rule.strip().partition(" ")[::2] for rule in answer["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    leads_to = f"'self' {settings.GITHUB['url']}" if "sign-in" in path else "'self'"
    assert policy["form-action"] == leads_to
    html = answer.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style\b|<[^>]+\s(style|on[a-z]+)=", html)
    assert "no-store" in answer["Cache-Control"]
    identifiers = re.findall(r'\bid="([^"]+)"', html)
    assert len(identifiers) == len(set(identifiers))


def test_signing_in_has_a_rate(settings):
    settings.RATES = {**settings.RATES, "login": (60, 1)}
    client = Client(enforce_csrf_checks=True)
    callback(client)
    answer = post(client, "/account/github/login/", page="/account/sign-in/")
    assert (answer.status_code, answer["Retry-After"]) == (429, "60")


def test_github_found_nothing_wrong_and_was_asked_for_no_permission(signed):
    client = Client(enforce_csrf_checks=True)
    asked = parse_qs(
        urlsplit(post(client, "/account/github/login/", "/account/sign-in/")["Location"]).query
    )
    assert set(asked) == {
        "client_id", "redirect_uri", "response_type", "state", "code_challenge",
        "code_challenge_method",
    }  # fmt: skip
    assert in_front(1, "nobody") == []
