"""What happens to a head in each of its states; each can be repeated after a crash."""

from __future__ import annotations
