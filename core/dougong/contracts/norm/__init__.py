"""The norm contracts: layer, RMS and group."""

from __future__ import annotations
