"""Where the rows of a family's board come from: folders, the hub, or this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

Row = TypeVar("Row")


def gathered(
    url: str | None,
    folders: Sequence[Path],
    contract: str,
    read: Callable[[str | bytes], Row | None],
) -> tuple[str, Iterable[Row]]:
    """Read the verdicts on one contract.

    Args:
        url: Of a hub; None for the one that is configured.
        folders: With verdicts; where there are any, nobody else is asked.
        contract: By id.
        read: Makes a row of one verdict; None where it is of another contract.

    Returns:
        Where from, in words; and the rows.

    Raises:
        HubError: a hub was named and cannot be asked.
        EvidenceError: a folder is none, or, as the rows are read, holds what is no verdict.
    """
    from dougong import evidence
    from dougong.errors import EvidenceError
    from dougong.hub import Hub

    if folders:
        for folder in folders:
            if not folder.is_dir():
                raise EvidenceError(f"--from must be a folder, got {str(folder)!r}")
        return ", ".join(map(str, folders)), evidence.in_folders(folders, read)
    client = Hub.configured(url)
    if client is None:
        rows = [row for text in evidence.every() if (row := read(text)) is not None]
        return "no hub is set; the verdicts on this machine", rows
    with client:
        texts = [client.verdict(run.id) for run in client.runs(contract=contract)]
        rows = [row for text in texts if (row := read(text)) is not None]
        return f"hub {client.url}", rows
