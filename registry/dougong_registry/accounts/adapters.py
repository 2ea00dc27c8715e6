"""How allauth is told that a person is GitHub's number, and that nobody gets mail."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.http import HttpRequest
from django.shortcuts import redirect

from dougong_registry.people.services import identity_seen

PROVIDER = "github"


class ByNumber(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """The account of Django is named by the number too, so that no login is ever in the way."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Keep the number and the login of what GitHub tells, and nothing else of a person."""
        if sociallogin.state.get("process") != "login":
            # An account of Django is one person of GitHub: nothing is connected to it.
            raise ImmediateHttpResponse(redirect("account"))
        told = sociallogin.account.extra_data
        sociallogin.account.extra_data = {"login": told.get("login", "")}
        # An address is nobody's proof here; two people may well show the same.
        sociallogin.email_addresses = []
        if sociallogin.is_existing:
            sociallogin.account.save(update_fields=["extra_data"])
        identity_seen(
            provider=PROVIDER, external_id=sociallogin.account.uid, login=str(told.get("login", ""))
        )

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: Any) -> Any:
        """Fill in the number; name and address of mail are left where they are."""
        user = sociallogin.user
        user.username = f"{PROVIDER}-{sociallogin.account.uid}"
        return user


class Quiet(DefaultAccountAdapter):  # type: ignore[misc]
    """No mail, no messages kept in a session."""

    def add_message(self, *_: Any, **__: Any) -> None:
        """Say nothing: the page that follows shows what is so."""

    def send_mail(self, *_: Any, **__: Any) -> None:
        """Send nothing: the hub knows no address."""
