"""What is published: plugins, sealed releases, the bytes, and the operators they hold."""

from __future__ import annotations
