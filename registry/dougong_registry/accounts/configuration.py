"""Django's and allauth's settings of a hub that people can sign in to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

APPS = (
    "dougong_registry.accounts",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
)
# Inside of those for sessions; allauth asks for it by this very name.
MIDDLEWARE = "allauth.account.middleware.AccountMiddleware"
COOKIES = "dougong_registry.accounts.cookies.at_home"
CONTEXT = "dougong_registry.accounts.context.account"


def allauth_settings(github: Mapping[str, str], *, https: bool) -> dict[str, Any]:
    """Return what allauth reads: GitHub only, no password, no mail, no token of GitHub's kept."""
    app = {"client_id": github["client_id"], "secret": github["secret"], "key": ""}
    provider = {"APPS": [app], "SCOPE": [], "OAUTH_PKCE_ENABLED": True}
    if github["url"]:
        provider["GITHUB_URL"] = github["url"]
    return {
        "SOCIALACCOUNT_PROVIDERS": {"github": provider},
        "SOCIALACCOUNT_ADAPTER": "dougong_registry.accounts.adapters.ByNumber",
        "ACCOUNT_ADAPTER": "dougong_registry.accounts.adapters.Quiet",
        "SOCIALACCOUNT_ONLY": True,
        "SOCIALACCOUNT_STORE_TOKENS": False,
        "SOCIALACCOUNT_QUERY_EMAIL": False,
        "SOCIALACCOUNT_EMAIL_VERIFICATION": "none",
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "ACCOUNT_LOGIN_METHODS": {"username"},
        "ACCOUNT_SIGNUP_FIELDS": ["username*"],
        "ACCOUNT_SESSION_REMEMBER": False,
        "ACCOUNT_DEFAULT_HTTP_PROTOCOL": "https" if https else "http",
        # The hub has rates of its own (`login`).
        "ACCOUNT_RATE_LIMITS": False,
        "LOGIN_URL": "account_login",
        "LOGIN_REDIRECT_URL": "account",
        "AUTHENTICATION_BACKENDS": [
            "django.contrib.auth.backends.ModelBackend",
            "allauth.account.auth_backends.AuthenticationBackend",
        ],
        "SESSION_COOKIE_PATH": "/account/",
        "SESSION_COOKIE_AGE": 8 * 3600,
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
        # GitHub sends people back from another site; `cookies` is stricter for staff.
        "SESSION_COOKIE_SAMESITE": "Lax",
    }
