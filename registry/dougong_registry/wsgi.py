"""The WSGI application that gunicorn serves."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application
from django.template.loader import get_template
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dougong_registry.settings")

application = get_wsgi_application()
# Every view and what it imports, and the tags of templates, once, before the processes part: the
# first requests of a process would wait most of a second for them.
ROUTES = get_resolver().url_patterns
LAYOUT = get_template("dougong/home.html")
