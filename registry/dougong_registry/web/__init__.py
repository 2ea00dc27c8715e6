"""The site: server-rendered pages over the selectors of the other domains."""

from __future__ import annotations
