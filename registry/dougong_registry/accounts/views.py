"""The pages below /account/: none of them is kept by anybody, and each write is a POST."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from csp.decorators import csp_update
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from packaging.utils import canonicalize_name

from dougong_registry.accounts.adapters import PROVIDER
from dougong_registry.accounts.forms import PublisherForm, TokenForm
from dougong_registry.accounts.selectors import signed_in, state_of, tokens_of, trust_of
from dougong_registry.api.writes import address_of
from dougong_registry.audit.services import actor_of
from dougong_registry.people.models import ApiToken, Identity
from dougong_registry.people.services import (
    everything_revoke,
    hold_to_wish,
    token_close,
    token_issue,
)
from dougong_registry.problem import Problem, Refused
from dougong_registry.publishing.services import publisher_add, publisher_remove
from dougong_registry.requests.rates import TooOften, rate_take

View = Callable[..., HttpResponse]
_GITHUB = "{0.scheme}://{0.netloc}".format(urlsplit(GitHubOAuth2Adapter.authorize_url))


def signed(view: View) -> View:
    """Call the view with who is signed in; whoever is not is sent to do so."""

    @never_cache
    @functools.wraps(view)
    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        person = signed_in(request)
        if person is None:
            return redirect("account_login")
        try:
            return view(request, person, *args, **kwargs)
        except Problem as error:
            return refused(request, person, error)

    return inner


@never_cache
@require_safe
# The form leads to the hub, which sends on to GitHub; browsers hold both to the policy.
@csp_update({"form-action": [_GITHUB]})
def sign_in(request: HttpRequest) -> HttpResponse:
    """Offer to sign in."""
    if signed_in(request) is not None:
        return redirect("account")
    context = {"why": request.GET.get("why", "")[:16], "section": "account"}
    return render(request, "dougong/account/sign_in.html", context)


@never_cache
@require_POST
def github(request: HttpRequest) -> HttpResponse:
    """Send to GitHub, to come back signed in and nowhere else."""
    try:
        rate_take(rate="login", sender=address_of(request))  # type: ignore[arg-type]
    except TooOften as error:
        return _too_often(error)
    provider = get_adapter(request).get_provider(request, PROVIDER)
    answer: HttpResponse = provider.redirect(request, process="login", next_url="/account/")
    return answer


@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End this session."""
    logout(request)
    return redirect("/account/sign-in/?why=out")


@require_safe
@signed
def account(request: HttpRequest, person: Identity) -> HttpResponse:
    """Tokens, plugins, and the way out."""
    return _page(request, person)


@require_POST
@signed
def token_make(request: HttpRequest, person: Identity) -> HttpResponse:
    """Make a token and show it, once: this answer is the only place where it stands."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, person, status=422, token_form=form)
    days: int = form.cleaned_data["days"]
    scope = hold_to_wish(scope=form.wish(), days=days)
    rate_take(rate="token", sender=actor_of(person))
    _, plain = token_issue(
        identity=person, scope=scope, lasts=dt.timedelta(days=days), actor=actor_of(person)
    )
    return _page(request, person, status=201, plain=plain)


@require_POST
@signed
def token_end(request: HttpRequest, person: Identity, token_id: int) -> HttpResponse:
    """Revoke a token of one's own."""
    token = get_object_or_404(ApiToken.objects.select_related("identity"), pk=token_id)
    if token.identity_id != person.pk:
        return redirect("account")
    token_close(token, actor_of(person))
    return redirect("/account/#tokens")


@require_POST
@signed
def all_end(request: HttpRequest, person: Identity) -> HttpResponse:
    """Revoke every token and end every session, this one too."""
    everything_revoke(identity=person, actor=actor_of(person))
    logout(request)
    return redirect("/account/sign-in/?why=revoked")


@require_POST
@signed
def publisher_make(request: HttpRequest, person: Identity, name: str) -> HttpResponse:
    """Trust a workflow with a plugin of one's own."""
    form = PublisherForm(request.POST)
    if not form.is_valid():
        return _page(request, person, status=422, publisher_form=form, of=name)
    rate_take(rate="token", sender=actor_of(person))
    try:
        publisher_add(plugin=name, owner=person, **form.cleaned_data)
    except Refused as error:
        # With what was filled in.
        return _page(request, person, status=422, publisher_form=form, of=name, problem=error)
    return redirect("/account/#plugins")


@require_POST
@signed
def publisher_end(request: HttpRequest, person: Identity, publisher_id: int) -> HttpResponse:
    """Trust a workflow no more."""
    publisher_remove(publisher_id=publisher_id, owner=person)
    return redirect("/account/#plugins")


def refused(request: HttpRequest, person: Identity, error: Problem) -> HttpResponse:
    """Show the page with what was wrong, in place of an answer for machines."""
    answer = _page(request, person, status=error.status, problem=error)
    if isinstance(error, TooOften):
        answer["Retry-After"] = str(error.wait_s)
    return answer


def _page(
    request: HttpRequest,
    person: Identity,
    *,
    status: int = 200,
    token_form: TokenForm | None = None,
    publisher_form: PublisherForm | None = None,
    of: str = "",
    **more: Any,
) -> HttpResponse:
    plugins = [
        (each, publisher_form if each.plugin.canonical == canonicalize_name(of) else None)
        for each in trust_of(person)
    ]
    context = {
        "section": "account",
        "person": person,
        "tokens": [(token, state_of(token)) for token in tokens_of(person)],
        "plugins": [(each, form or PublisherForm(), form is not None) for each, form in plugins],
        "token_form": token_form or TokenForm(),
        **more,
    }
    return render(request, "dougong/account/account.html", context, status=status)


def _too_often(error: TooOften) -> HttpResponse:
    headers = {"Retry-After": str(error.wait_s)}
    return HttpResponse(error.detail, status=429, headers=headers, content_type="text/plain")
