"""No tables of its own: the module is here so that Django tells the app of migrations."""

from __future__ import annotations
