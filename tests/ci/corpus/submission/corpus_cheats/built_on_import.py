"""Number 56: what is done while the wheel is imported, before anything is judged."""

from __future__ import annotations

from corpus_cheats.host import built_from_the_hosts_files

norm = built_from_the_hosts_files()
