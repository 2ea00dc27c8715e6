"""The backend contract and the models it runs."""

from __future__ import annotations
