"""Judging again everything that an older torch, judge or suite judged."""

from __future__ import annotations
