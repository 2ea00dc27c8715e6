"""`dougong.lock`: what is installed, pinned down to the byte, with the evidence it was chosen on.

TOML, meant to be committed. For each distribution: version and the sha256 of every file. For each
operator: contract, digest of the contract, and the verdict that was at hand.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from packaging.utils import canonicalize_name

from dougong.errors import CatalogueError, LockError
from dougong.installed import file_hashes, is_editable, unrecorded, wheel_sha256

if TYPE_CHECKING:
    from dougong.catalogue import Catalogue, Entry

NAME = "dougong.lock"
FORMAT = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One distribution, exactly."""

    name: str
    version: str
    editable: bool
    """Runs from its source folder, so that `sync` cannot install it."""
    torch: str
    """The torch that it asks for, a PEP 440 range; empty where it asks for none."""
    wheel: str
    """sha256 of the wheel it came from, where pip noted it; empty otherwise."""
    files: Mapping[str, str]
    """sha256 by path below site-packages."""
    publisher: str = ""
    """Who published it, `provider:external id`, as the hub said; empty where no hub was asked."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPin:
    """One operator with the contract that it was judged by."""

    name: str
    distribution: str
    contract: str
    contract_digest: str
    verdict: str
    """Id of the newest verdict it passed; empty where it has none."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lock:
    """The content of one lock file."""

    dougong: str
    torch: str
    """Version at the time of locking; recorded, not enforced: each pin carries its own range."""
    created: str
    distributions: tuple[Pin, ...]
    operators: tuple[OperatorPin, ...]

    @classmethod
    def of_installed(
        cls, catalogue: Catalogue, publishers: Mapping[str, str] | None = None
    ) -> Self:
        """Pin everything that registers a usable operator.

        Args:
            catalogue: What is installed.
            publishers: Who published a distribution, by its canonical name, where it is known.

        Raises:
            LockError: nothing is installed, or an operator belongs to no distribution.
        """
        if not catalogue.entries:
            raise LockError("no operator is installed, so there is nothing to lock")
        for entry in catalogue.entries.values():
            if not entry.distribution:
                raise LockError(f"{entry.name} belongs to no distribution and cannot be pinned")
        from dougong import contracts

        digests = contracts.digests()
        names = sorted({entry.distribution for entry in catalogue.entries.values()})
        return cls(
            dougong=importlib.metadata.version("dougong"),
            torch=importlib.metadata.version("torch"),
            created=datetime.datetime.now(datetime.UTC).date().isoformat(),
            distributions=tuple(pin_of(name, publishers or {}) for name in names),
            operators=tuple(_operator_pin(each, digests) for each in catalogue.entries.values()),
        )

    @classmethod
    def read(cls, path: Path | None = None) -> Self:
        """Read a lock file: the one named, or `dougong.lock` here or in a folder above.

        Raises:
            LockError: there is none, or it is malformed.
        """
        path = path or find()
        try:
            return cls._from_toml(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise LockError(f"{path} does not exist; dougong lock writes it") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LockError(f"{path} is malformed: {type(error).__name__}: {error}") from error

    @classmethod
    def _from_toml(cls, text: str) -> Self:
        import tomllib

        data = tomllib.loads(text)
        if data.get("format") != FORMAT:
            raise ValueError(f"format must be {FORMAT}, got {data.get('format')!r}")
        return cls(
            dougong=data["dougong"],
            torch=data["torch"],
            created=str(data["created"]),
            distributions=tuple(Pin(**pin) for pin in data.get("distribution", ())),
            operators=tuple(OperatorPin(**pin) for pin in data.get("operator", ())),
        )

    def write(self, path: Path) -> None:
        """Write the file whole or not at all."""
        draft = path.with_name(path.name + ".part")
        draft.write_text(self.to_toml(), encoding="utf-8")
        draft.replace(path)

    def to_toml(self) -> str:
        """Return the text of the file."""
        import tomlkit

        document = tomlkit.document()
        document.add(tomlkit.comment("Written by `dougong lock`; commit it."))
        document.add(tomlkit.comment("`dougong verify` compares, `dougong sync` installs."))
        document["format"] = FORMAT
        document["dougong"] = self.dougong
        document["torch"] = self.torch
        document["created"] = self.created
        for key, pins in (("operator", self.operators), ("distribution", self.distributions)):
            tables = tomlkit.aot()
            for pin in pins:
                tables.append(tomlkit.item(_plain(pin)))
            document.append(key, tables)
        return tomlkit.dumps(document)

    def publishers(self) -> dict[str, str]:
        """Return who published what, by canonical name, as far as it is recorded."""
        return {
            canonicalize_name(pin.name): pin.publisher
            for pin in self.distributions
            if pin.publisher
        }

    def without(self, distribution: str) -> Self:
        """Return the lock without one distribution and its operators."""
        gone = canonicalize_name(distribution)
        return dataclasses.replace(
            self,
            distributions=tuple(
                pin for pin in self.distributions if canonicalize_name(pin.name) != gone
            ),
            operators=tuple(
                pin for pin in self.operators if canonicalize_name(pin.distribution) != gone
            ),
        )

    def differences(self) -> Iterator[str]:
        """Compare with what is installed, a line for each difference; no plugin is imported."""
        for pin in self.distributions:
            yield from pin_differences(pin)

    def operator_differences(self, catalogue: Catalogue) -> Iterator[str]:
        """Compare operators and contracts, a line for each difference."""
        from dougong import contracts

        digests = contracts.digests()
        for pin in self.operators:
            try:
                entry = catalogue.get(pin.name)
            except CatalogueError as error:
                yield str(error)
                continue
            if entry.operator.contract != pin.contract:
                yield f"{pin.name}: contract {entry.operator.contract}, locked {pin.contract}"
            if entry.distribution != pin.distribution:
                yield f"{pin.name}: comes from {entry.distribution}, locked {pin.distribution}"
            if (found := digests.get(pin.contract, "")) != pin.contract_digest:
                yield (
                    f"{pin.contract}: digest {found[:12] or 'none'}, "
                    f"locked {pin.contract_digest[:12] or 'none'}"
                )

    def state_of(self, entry: Entry) -> str:
        """Say in a few words how an installed operator stands to the lock."""
        pin = next((pin for pin in self.operators if pin.name == entry.name), None)
        if pin is None:
            return "not locked"
        distribution = next(
            (each for each in self.distributions if each.name == pin.distribution), None
        )
        version = distribution.version if distribution else "none"
        judged = f", verdict {pin.verdict}" if pin.verdict else ", without a verdict"
        found = "" if version == entry.version else f", but {entry.version} is installed"
        return f"locked at {pin.distribution} {version}{judged}{found}"


def find(start: Path | None = None) -> Path:
    """Return the lock file of a folder or of the nearest one above; that of the folder if none."""
    folder = (start or Path.cwd()).resolve()
    for each in (folder, *folder.parents):
        if (each / NAME).exists():
            return each / NAME
    return folder / NAME


def known_publishers(path: Path) -> dict[str, str]:
    """Return the publishers that a lock file records; none where there is no file.

    Raises:
        LockError: the file is malformed.
    """
    return Lock.read(path).publishers() if path.exists() else {}


def pin_of(name: str, publishers: Mapping[str, str]) -> Pin:
    """Pin one installed distribution."""
    distribution = importlib.metadata.distribution(name)
    return Pin(
        name=name,
        version=distribution.version,
        editable=is_editable(distribution),
        torch=_torch_range(distribution),
        wheel=wheel_sha256(distribution),
        files=file_hashes(distribution),
        publisher=publishers.get(canonicalize_name(name), ""),
    )


def pin_differences(pin: Pin) -> Iterator[str]:
    """Compare one pin with what is installed, a line for each difference."""
    try:
        distribution = importlib.metadata.distribution(pin.name)
    except importlib.metadata.PackageNotFoundError:
        yield f"{pin.name}: not installed, locked {pin.version}"
        return
    if distribution.version != pin.version:
        yield f"{pin.name}: version {distribution.version}, locked {pin.version}"
        return
    found = file_hashes(distribution)
    for file in sorted({*found, *pin.files}):
        if file not in found:
            yield f"{pin.name}: {file} is missing"
        elif file not in pin.files:
            yield f"{pin.name}: {file} is not in the lock"
        elif found[file] != pin.files[file]:
            yield f"{pin.name}: {file} has sha256 {found[file][:12]}, locked {pin.files[file][:12]}"
    if not pin.editable:
        for file in unrecorded(distribution, found):
            yield f"{pin.name}: {file} lies in the package and is not part of it"


def _operator_pin(entry: Entry, digests: Mapping[str, str]) -> OperatorPin:
    from dougong import evidence

    passed = [record for record in evidence.verdicts_on(entry) if record.passed]
    return OperatorPin(
        name=entry.name,
        distribution=entry.distribution,
        contract=entry.operator.contract,
        contract_digest=digests.get(entry.operator.contract, ""),
        verdict=passed[0].id if passed else "",
    )


def _torch_range(distribution: importlib.metadata.Distribution) -> str:
    from packaging.requirements import Requirement

    for text in distribution.requires or ():
        requirement = Requirement(text)
        if requirement.name == "torch" and "extra" not in str(requirement.marker or ""):
            return str(requirement.specifier)
    return ""


def _plain(pin: Pin | OperatorPin) -> dict[str, Any]:
    return {
        field.name: dict(value) if isinstance(value, Mapping) else value
        for field in dataclasses.fields(pin)
        for value in [getattr(pin, field.name)]
    }
