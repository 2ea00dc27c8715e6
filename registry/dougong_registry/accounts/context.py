"""What every page knows of accounts: that there are some. Never whose."""

from __future__ import annotations

from django.http import HttpRequest


def account(_: HttpRequest) -> dict[str, str]:
    """Give the address of the account page; the same for everybody, so that pages can be kept."""
    return {"account_url": "/account/"}
