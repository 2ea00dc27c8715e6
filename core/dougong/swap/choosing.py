"""Choose an operator for one module: a name is strict, `auto` takes only what was judged."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal

from dougong import evidence
from dougong.catalogue import Catalogue, Entry
from dougong.contracts import contract
from dougong.errors import CatalogueError, PlanError
from dougong.swap.adapters import attention
from dougong.swap.selectors import Selector
from dougong.swap.sites import Site

Mode = Literal["infer", "train"]
AUTO, REFERENCE = "auto", "reference"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What serves one module, and why."""

    site: Site
    selector: str
    entry: Entry | None
    """None: the module keeps its own forward."""
    reason: str
    rejected: tuple[tuple[str, str], ...] = ()
    """Candidates that were looked at and not taken, each with the reason."""


class Chooser:
    """Chooses for one plan; remembers what it found, because models repeat themselves."""

    def __init__(self, catalogue: Catalogue, mode: Mode) -> None:
        self._catalogue = catalogue
        self._mode: Mode = mode
        self._known: dict[Any, Any] = {}
        self._loaded: dict[str, Callable[..., Any] | str] = {}

    def choose(self, site: Site, selector: Selector) -> Choice:
        """Choose for one module.

        Raises:
            PlanError: a named operator cannot be used there.
        """
        wanted = _names(selector)
        if self._mode == "infer" and site.module.training and set(wanted) != {REFERENCE}:
            raise PlanError(
                f"mode='infer' but {_where(site)} is in training mode: call model.eval() first, "
                "or plan with mode='train'"
            )
        rejected: list[tuple[str, str]] = []
        for name in wanted:
            if name == REFERENCE:
                return _kept(site, selector, "asked to keep the reference", rejected)
            if name == AUTO:
                return self._auto(site, selector, rejected)
            found = self._named(name, site, selector)
            if not isinstance(found, str):
                return Choice(
                    site=site,
                    selector=selector.text,
                    entry=found,
                    reason="named",
                    rejected=tuple(rejected),
                )
            rejected.append((name, found))
        reasons = "; ".join(f"{name}: {reason}" for name, reason in rejected)
        raise PlanError(f"{_where(site)}, selected by {selector.text!r}: {reasons}")

    def _named(self, name: str, site: Site, selector: Selector) -> Entry | str:
        """Return the operator, or why it cannot be used."""
        try:
            entry = self._catalogue.get(name)
        except CatalogueError as error:
            # A name that nobody registers is a mistake in the plan, not a property of the module.
            if len(_names(selector)) == 1:
                raise PlanError(f"selector {selector.text!r}: {error}") from error
            return str(error)
        if selector.contract and selector.contract not in (
            entry.operator.contract,
            entry.operator.kind,
        ):
            return f"implements {entry.operator.contract}, not {selector.contract}"
        found = self._usable(entry, site)
        return found if isinstance(found, str) else entry

    def _auto(self, site: Site, selector: Selector, rejected: list[tuple[str, str]]) -> Choice:
        wanted = next(
            (c for c in site.fit.contracts if selector.contract in (c, c.partition("@")[0])),
            site.fit.contracts[0],
        )
        if site.fit.problem:
            return _kept(site, selector, site.fit.problem, rejected)
        key = (AUTO, wanted, _facts(site))
        if key not in self._known:
            self._known[key] = self._best(site, wanted)
        entry, reason, turned_down = self._known[key]
        rejected = [*rejected, *turned_down]
        if entry is None:
            return _kept(site, selector, reason, rejected)
        return Choice(
            site=site,
            selector=selector.text,
            entry=entry,
            reason=reason,
            rejected=tuple(rejected),
        )

    def _best(self, site: Site, wanted: str) -> tuple[Entry | None, str, list[tuple[str, str]]]:
        usable, rejected = [], []
        for entry in self._catalogue.find(contract=wanted):
            found = self._usable(entry, site)
            if isinstance(found, str):
                rejected.append((entry.name, found))
            else:
                usable.append(entry)
        if not usable and not rejected:
            return None, f"no operator of {wanted} is installed", rejected
        best, reason = evidence.best(
            usable, device=site.device.type, dtype=_dtype(site), mode=self._mode
        )
        for entry in usable:
            if entry is not best:
                _, why = evidence.best(
                    [entry], device=site.device.type, dtype=_dtype(site), mode=self._mode
                )
                why = why.removeprefix("no judged candidate").strip(" ()")
                rejected.append((entry.name, why.removeprefix(f"{entry.name}: ")))
        return best, reason if best else "no judged candidate; the reference stays", rejected

    def _usable(self, entry: Entry, site: Site) -> Callable[..., Any] | str:
        key = (entry.name, site.fit.problem, _facts(site))
        if key not in self._known:
            self._known[key] = self._examine(entry, site)
        found: Callable[..., Any] | str = self._known[key]
        return found

    def _examine(self, entry: Entry, site: Site) -> Callable[..., Any] | str:
        operator, fit = entry.operator, site.fit
        if fit.problem:
            return fit.problem
        if operator.contract not in fit.contracts:
            return f"implements {operator.contract}, the module computes {fit.contracts[0]}"
        if operator.features and (lacking := sorted(set(fit.features) - set(operator.features))):
            return f"does not declare {', '.join(lacking)}, which the module needs"
        device = str(site.device)
        if reason := entry.unavailable(device=device, dtype=_dtype(site), mode=self._mode):
            return reason
        problem = attention.training_problem(site.module) if fit.forward is None else ""
        if self._mode == "train" and problem:
            return problem
        return self._load(entry)

    def _load(self, entry: Entry) -> Callable[..., Any] | str:
        if entry.name not in self._loaded:
            self._loaded[entry.name] = load(entry)
        return self._loaded[entry.name]


def load(entry: Entry) -> Callable[..., Any] | str:
    """Import an operator and check its signature; return it, or why it cannot be called."""
    try:
        call = entry.operator.load()
    # An implementation may raise anything while it is imported.
    except Exception as error:
        return f"{entry.operator.target} cannot be loaded: {type(error).__name__}: {error}"
    if not callable(call):
        return f"{entry.operator.target} must be callable, is a {type(call).__name__}"
    if wrong := _signature_problem(call, contract(entry.operator.contract).reference):
        return f"signature must be {contract(entry.operator.contract).signature}, {wrong}"
    checked: Callable[..., Any] = call
    return checked


def _signature_problem(call: Callable[..., Any], reference: Callable[..., Any]) -> str:
    """Bind every argument of the reference to the operator, in the way contracts pass them."""
    try:
        found = inspect.signature(call)
    except (TypeError, ValueError):
        # Builtins of torch carry no signature; the quick check and the judge call them.
        return ""
    wanted = inspect.signature(reference).parameters.values()
    positional = [p.name for p in wanted if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    keywords = {p.name: None for p in wanted if p.kind is inspect.Parameter.KEYWORD_ONLY}
    try:
        found.bind(*positional, **keywords)
    except TypeError as error:
        return f"got f{found}: {error}"
    return ""


def _names(selector: Selector) -> tuple[str, ...]:
    wanted = selector.wanted
    names = (wanted,) if isinstance(wanted, str) else wanted
    if (
        not isinstance(names, Sequence)
        or not names
        or not all(isinstance(name, str) for name in names)
    ):
        raise PlanError(
            f"selector {selector.text!r} must map to an operator name, 'auto', 'reference' or a "
            f"list of them, got {wanted!r}"
        )
    return tuple(names)


def _kept(
    site: Site, selector: Selector, reason: str, rejected: Sequence[tuple[str, str]]
) -> Choice:
    return Choice(
        site=site,
        selector=selector.text,
        entry=None,
        reason=reason,
        rejected=tuple(rejected),
    )


def _facts(site: Site) -> tuple[Any, ...]:
    fit = site.fit
    attributes = type(site.module) if fit.forward is None else None
    return (fit.contracts, fit.features, _dtype(site), str(site.device), attributes)


def _dtype(site: Site) -> str:
    return str(site.dtype).removeprefix("torch.")


def _where(site: Site) -> str:
    return f"{site.path or 'the model'} ({type(site.module).__name__})"
