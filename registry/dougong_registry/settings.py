"""Django settings of the hub. Everything that varies comes from the environment."""

from __future__ import annotations

import os
from typing import Any

from django.utils.functional import lazy

from dougong_registry import environment
from dougong_registry.accounts import configuration as accounts

DOUGONG_HOME = environment.home(os.environ)
DOUGONG_HUB_URL = os.environ.get("DOUGONG_HUB_URL", "http://127.0.0.1:8000").rstrip("/")
DOUGONG_BROKER_URL = (
    os.environ.get("DOUGONG_BROKER_URL")
    or f"redis+socket://{DOUGONG_HOME / 'broker' / 'valkey.sock'}"
)

# A second home of the wheels: a dataset on the Hugging Face Hub; empty means none.
DOUGONG_HF_REPO = os.environ.get("DOUGONG_HF_REPO", "")
HF_ENDPOINT = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")

WHEEL_MAX_BYTES = 256 * 1024 * 1024
JOB_LEASE_S = 60
JOB_ATTEMPTS = 5
# Nobody has more jobs under way, however many judges there are.
JOBS_PER_AUTHOR = environment.count(os.environ, "DOUGONG_JOBS_PER_AUTHOR", 8)
# How long to wait before what could not be told is judged again, and after the last no more.
JUDGE_RETRY_S = (300, 1200, 4800)
# The share of runs in force that is judged again each week to check them; 0 checks none.
DOUGONG_AUDIT_SHARE = environment.share(os.environ, "DOUGONG_AUDIT_SHARE", 0.02)
# How long a run must be there before it is confirmed as first of a board by a second one.
DOUGONG_CONFIRM_AFTER_S = environment.count(os.environ, "DOUGONG_CONFIRM_AFTER_S", 3600)
REQUEST_WINDOW_S = 300
# (seconds until one more is allowed, how many at once), of an identity; `address` of an address.
RATES = environment.rates(
    os.environ,
    plugin=(600, 5),
    release=(60, 30),
    yank=(60, 100),
    export=(3600, 2),
    login=(30, 10),
    exchange=(10, 30),
    token=(60, 20),
    address=(1, 300),
)
# How many proxies of the hub's own add to X-Forwarded-For; 0 believes no such header.
DOUGONG_PROXIES = int(os.environ.get("DOUGONG_PROXIES", "0"))

# Whose pull requests become submissions; nothing by default.
FORGE = environment.forge(os.environ)
FORGE_POLL_S = environment.count(os.environ, "DOUGONG_FORGE_POLL_S", 600)

# Whose ID tokens CI jobs are known by; nothing is asked of it until a plugin trusts a publisher.
OIDC_ISSUER = environment.issuer(os.environ)
# How people sign in; nobody can where it is empty.
GITHUB = environment.github(os.environ)

# How long a page for everybody is kept; it is at most this much behind its data.
PAGE_KEPT_S = int(os.environ.get("DOUGONG_PAGE_KEPT_S", "10"))

DEBUG = environment.flag(os.environ, "DOUGONG_DEBUG")
SECRET_KEY = lazy(environment.secret_key, str)(DOUGONG_HOME)
ALLOWED_HOSTS = environment.words(os.environ, "DOUGONG_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")
# Who reads /metrics: whoever has the token, and these addresses where no proxy is between.
DOUGONG_METRICS_TOKEN = os.environ.get("DOUGONG_METRICS_TOKEN", "")
DOUGONG_METRICS_ALLOW = environment.words(os.environ, "DOUGONG_METRICS_ALLOW", "")

INSTALLED_APPS = [
    "django.contrib.staticfiles",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "csp",
    "dougong_registry.people",
    "dougong_registry.audit",
    "dougong_registry.requests",
    "dougong_registry.plugins",
    "dougong_registry.publishing",
    "dougong_registry.submissions",
    "dougong_registry.runs",
    "dougong_registry.fleet",
    "dougong_registry.suites",
    "dougong_registry.campaigns",
    "dougong_registry.reruns",
    "dougong_registry.notices",
    "dougong_registry.advisories",
    "dougong_registry.storage",
    "dougong_registry.contributions",
    "dougong_registry.boards",
    "dougong_registry.search",
    "dougong_registry.rehearsal",
    "dougong_registry.web",
    "dougong_registry.moderation",
    "dougong_registry.forge",
    "dougong_registry.exports",
    "dougong_registry.backups",
    "dougong_registry.guards",
]
MIDDLEWARE = [
    "dougong_registry.logs.requests.named",
    "dougong_registry.metrics.requests.measured",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "dougong_registry.web.addresses.Possible",
]
ROOT_URLCONF = "dougong_registry.urls"
WSGI_APPLICATION = "dougong_registry.wsgi.application"
APPEND_SLASH = False
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 400},
    }
}

DATABASES: dict[str, dict[str, Any]] = {"default": environment.database(os.environ, DOUGONG_HOME)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The pages for staff and those for who signs in have Django's accounts and sessions; a hub without
# either has none.
DOUGONG_ADMIN = environment.flag(os.environ, "DOUGONG_ADMIN")
if DOUGONG_ADMIN or GITHUB:
    INSTALLED_APPS += [
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "django.contrib.sessions",
    ]
    MIDDLEWARE += [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
if DOUGONG_ADMIN:
    INSTALLED_APPS += [
        "django.contrib.messages",
        "django.contrib.admin.apps.SimpleAdminConfig",
        "dougong_registry.administration",
    ]
    MIDDLEWARE += ["django.contrib.messages.middleware.MessageMiddleware"]
    TEMPLATES[0]["OPTIONS"]["context_processors"] += [
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]
    AUTH_PASSWORD_VALIDATORS = [
        {
            "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
            "OPTIONS": {"min_length": 12},
        },
        {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    ]
    # No other page is sent the session, and a day's work outlives none.
    SESSION_COOKIE_PATH = "/admin/"
    SESSION_COOKIE_AGE = 8 * 3600
    SESSION_COOKIE_SAMESITE = "Strict"
    SESSION_EXPIRE_AT_BROWSER_CLOSE = True
if GITHUB:
    INSTALLED_APPS += accounts.APPS
    MIDDLEWARE += [accounts.MIDDLEWARE]
    # Outside of everything that sets a cookie.
    MIDDLEWARE.insert(2, accounts.COOKIES)
    TEMPLATES[0]["OPTIONS"]["context_processors"] += [accounts.CONTEXT]
    globals().update(
        accounts.allauth_settings(GITHUB, https=DOUGONG_HUB_URL.startswith("https://"))
    )

STATIC_URL = "/static/"
STATIC_ROOT = DOUGONG_HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG

# A signed verdict holds raw samples; wheels are streamed to disk and not under this limit.
DATA_UPLOAD_MAX_MEMORY_SIZE = 32 * 1024 * 1024
FILE_UPLOAD_HANDLERS = ["dougong_registry.plugins.upload.WheelUploadHandler"]

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}
SECURE_REFERRER_POLICY = "same-origin"

# A hub that is reached by https is never spoken to without it. TLS ends at a proxy; the redirect
# needs to be told by a header whether it did, and that header must come from the proxy alone.
_HTTPS = DOUGONG_HUB_URL.startswith("https://")
_PROXY_HEADER = os.environ.get("DOUGONG_PROXY_SSL_HEADER", "")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _HTTPS
SECURE_SSL_REDIRECT = _HTTPS and bool(_PROXY_HEADER)
# Probes and scrapers ask a process itself, past the proxy.
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]
if _PROXY_HEADER:
    SECURE_PROXY_SSL_HEADER = (f"HTTP_{_PROXY_HEADER.upper().replace('-', '_')}", "https")
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_SCHEMA_CLASS": "dougong_registry.api.schema.ProblemSchema",
    "EXCEPTION_HANDLER": "dougong_registry.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Dougong hub",
    "DESCRIPTION": "Operators, what was measured of them, and the way in. "
    "Errors follow RFC 9457 (application/problem+json).",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer"},
            # Over method, path, time and body; docs/api.md says which headers go with it.
            "signature": {"type": "apiKey", "in": "header", "name": "X-Dougong-Signature"},
        }
    },
}

# Lines for people by default, and then no line for each request; JSON for machines.
_JSON_LOG = os.environ.get("DOUGONG_LOG", "").strip().lower() == "json"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "json": {"()": "dougong_registry.logs.formats.JsonFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json" if _JSON_LOG else "line",
        }
    },
    "loggers": {
        "dougong.request": {"level": "INFO" if _JSON_LOG else "WARNING"},
        # A line for each request to the forge.
        "httpx": {"level": "WARNING"},
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
