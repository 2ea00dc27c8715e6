"""The catalogue: made on request, never at import, and never kept in a global."""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import os
import types
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from dougong.catalogue.entry import Broken, Entry
from dougong.catalogue.loading import Source, load_plugin, trace
from dougong.errors import CatalogueError

GROUP = "dougong"
"""Entry-point group in which a distribution names its plugin module."""


class Catalogue:
    """Every operator that was found, by name, beside what could not be used.

    Use `discover` for everything installed, `load` for a named list of modules, and `at` for the
    distributions of one folder.

    Attributes:
        entries: operators by name; a name that two plugins register is not among them.
        broken: plugins that registered nothing, each with its reason.
        duplicates: names that were registered more than once, with all of the claimants.
        left_out: plugins not imported, because the allow-list or the kill switch leaves them out.
    """

    def __init__(self, found: Iterable[Source | Broken], left_out: Sequence[str] = ()) -> None:
        """Load every source in the order given."""
        by_name: dict[str, list[Entry]] = defaultdict(list)
        broken: list[Broken] = []
        for source in found:
            loaded = source if isinstance(source, Broken) else load_plugin(source)
            if isinstance(loaded, Broken):
                broken.append(loaded)
                continue
            for entry in loaded:
                by_name[entry.name].append(entry)
        self.entries: Mapping[str, Entry] = types.MappingProxyType(
            {name: claims[0] for name, claims in sorted(by_name.items()) if len(claims) == 1}
        )
        self.duplicates: Mapping[str, tuple[Entry, ...]] = types.MappingProxyType(
            {name: tuple(claims) for name, claims in sorted(by_name.items()) if len(claims) > 1}
        )
        self.broken: tuple[Broken, ...] = tuple(broken)
        self.left_out: tuple[str, ...] = tuple(left_out)

    @classmethod
    def discover(cls) -> Self:
        """Find the plugins of every installed distribution.

        One that a hub has revoked, as far as is known on this machine, is broken and not imported.
        `DOUGONG_DISABLE=1` finds none. `DOUGONG_PLUGINS=a,b` imports only the entry points or
        distributions of these names. `DOUGONG_TRACE=1` prints what each hook returned.
        """
        found = list(map(_unless_revoked(), _scan(importlib.metadata.distributions())))
        names = [source.plugin for source in found]
        if os.environ.get("DOUGONG_DISABLE") == "1":
            trace("DOUGONG_DISABLE=1: no plugin is loaded")
            return cls([], left_out=names)
        if (allowed_text := os.environ.get("DOUGONG_PLUGINS")) is None:
            return cls(found)
        allowed = [name.strip() for name in allowed_text.split(",") if name.strip()]
        kept = [source for source in found if {source.plugin, source.distribution} & set(allowed)]
        known = {name for source in kept for name in (source.plugin, source.distribution)}
        absent = [
            Broken(name, "", "", "named in DOUGONG_PLUGINS, not installed")
            for name in allowed
            if name not in known
        ]
        left_out = [source.plugin for source in found if source not in kept]
        return cls([*kept, *absent], left_out=left_out)

    @classmethod
    def load(cls, modules: Sequence[str | types.ModuleType]) -> Self:
        """Load plugins by module, whatever else is installed and whatever the environment says."""
        registered = {
            point.module: (name, version)
            for point, name, version in _points(importlib.metadata.distributions(), [])
        }
        sources = []
        for module in modules:
            name = module if isinstance(module, str) else module.__name__
            distribution, version = registered.get(name, ("", ""))
            sources.append(Source(name, distribution, version, _importer(module)))
        return cls(sources)

    @classmethod
    def at(cls, path: str | os.PathLike[str]) -> Self:
        """Find the plugins of the distributions in one folder, which must be on `sys.path`."""
        return cls(_scan(importlib.metadata.distributions(path=[str(Path(path))])))

    def get(self, name: str) -> Entry:
        """Return the operator of a name.

        Raises:
            CatalogueError: nobody registers the name, its plugin is broken, or several register it.
        """
        if name in self.entries:
            return self.entries[name]
        if claims := self.duplicates.get(name):
            raise CatalogueError(f"{name} is ambiguous: {claimants(claims)}; uninstall all but one")
        for broken in self.broken:
            if name in {*broken.operators, broken.plugin, broken.distribution}:
                raise CatalogueError(
                    f"{name} cannot be used: plugin {broken.plugin} is broken: {broken.reason}"
                )
        raise CatalogueError(f"no operator {name!r} is installed{self._hints(name)}")

    def find(self, contract: str | None = None, family: str | None = None) -> tuple[Entry, ...]:
        """Return the operators of a contract, a kind or a family, in order of name.

        Args:
            contract: `norm.rms@1`, or `norm.rms` for every version of it.
            family: `norm`.
        """
        return tuple(
            entry
            for entry in self.entries.values()
            if contract in (None, entry.operator.contract, entry.operator.kind)
            and family in (None, entry.operator.family)
        )

    def _hints(self, name: str) -> str:
        close = difflib.get_close_matches(name, self.entries, n=3)
        close = close or [each for each in self.entries if each.endswith("/" + name)][:3]
        hints = f"; close: {', '.join(close)}" if close else ""
        if self.broken:
            hints += f"; broken plugins: {'; '.join(map(str, self.broken[:3]))}"
        if self.left_out:
            hints += f"; left out by the environment: {', '.join(self.left_out[:5])}"
        return hints


def claimants(claims: Sequence[Entry]) -> str:
    """Name the plugins that register one operator name: `plugins a and b both register it`."""
    names = [
        f"{entry.plugin} ({entry.distribution} {entry.version})"
        if entry.distribution
        else entry.plugin
        for entry in claims
    ]
    if len(set(names)) == 1:
        return f"plugin {names[0]} registers it {len(names)} times"
    return f"registered by plugins {' and '.join(sorted(set(names)))}"


def _importer(module: str | types.ModuleType) -> Callable[[], object]:
    return lambda: importlib.import_module(module) if isinstance(module, str) else module


def _unless_revoked() -> Callable[[Source | Broken], Source | Broken]:
    from dougong import revocations
    from dougong.installed import wheel_sha256

    standing = revocations.standing()

    def judge(source: Source | Broken) -> Source | Broken:
        if not standing or isinstance(source, Broken):
            return source
        sha256 = wheel_sha256(importlib.metadata.distribution(source.distribution))
        reason = standing.reason(source.distribution, source.version, sha256)
        if not reason:
            return source
        return Broken(source.plugin, source.distribution, source.version, reason)

    return judge


def _scan(
    distributions: Iterable[importlib.metadata.Distribution],
) -> list[Source | Broken]:
    broken: list[Source | Broken] = []
    sources: list[Source | Broken] = [
        Source(point.name, name, version, point.load)
        for point, name, version in _points(distributions, broken)
    ]
    # Once each: a second finder of metadata, such as setuptools brings, finds all of them again.
    return sorted(
        [*sources, *dict.fromkeys(broken)], key=lambda source: (source.plugin, source.distribution)
    )


def _points(
    distributions: Iterable[importlib.metadata.Distribution],
    broken: list[Source | Broken],
) -> Iterator[tuple[importlib.metadata.EntryPoint, str, str]]:
    """Give the entry points of the group with name and version of their distribution.

    The whole-environment reader of importlib.metadata stops at the first damaged distribution, so
    each one is read by itself; of two with one name the first on the path counts, as for imports.
    """
    seen: set[str] = set()
    for distribution in distributions:
        text = distribution.read_text("entry_points.txt")
        if not text or f"[{GROUP}]" not in text:
            continue
        name, version = "", ""
        try:
            name, version = distribution.metadata["Name"] or "", distribution.version or ""
            if not name:
                raise ValueError("METADATA is missing or names no distribution")
            points = list(distribution.entry_points.select(group=GROUP))
        # Damaged metadata raises whatever the parser happens to trip over.
        except Exception as error:
            where = name or Path(str(getattr(distribution, "_path", "unknown"))).name
            broken.append(Broken(where, name, version, f"damaged metadata: {error}"))
            continue
        if name in seen:
            continue
        seen.add(name)
        yield from ((point, name, version) for point in points)
