"""Addresses below /account/; the names that allauth looks for are among them."""

from __future__ import annotations

from collections.abc import Callable

from allauth.socialaccount.providers.github.views import oauth2_callback
from django.http.response import HttpResponseBase
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView

from dougong_registry.accounts import views


def _back(why: str) -> Callable[..., HttpResponseBase]:
    return RedirectView.as_view(url=f"/account/sign-in/?why={why}")


urlpatterns = [
    path("", views.account, name="account"),
    path("sign-in/", views.sign_in, name="account_login"),
    path("sign-out/", views.sign_out, name="account_logout"),
    path("github/login/", views.github, name="github_login"),
    path("github/login/callback/", never_cache(oauth2_callback), name="github_callback"),
    path("github/cancelled/", _back("cancelled"), name="socialaccount_login_cancelled"),
    path("closed/", _back("closed"), name="account_inactive"),
    path("tokens/", views.token_make, name="account_token_make"),
    path("tokens/<int:token_id>/revoke/", views.token_end, name="account_token_end"),
    path("revoke-all/", views.all_end, name="account_all_end"),
    path("plugins/<str:name>/publishers/", views.publisher_make, name="account_publisher_make"),
    path(
        "publishers/<int:publisher_id>/remove/", views.publisher_end, name="account_publisher_end"
    ),
]
