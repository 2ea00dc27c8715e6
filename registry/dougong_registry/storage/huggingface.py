"""The store on the Hugging Face Hub: a dataset repository, one commit for each file.

`huggingface_hub` comes with the extra `hf` and is imported when it is needed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dougong_registry.problem import Problem, Refused, Unavailable
from dougong_registry.storage.place import Place

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_CHUNK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceStore:
    """A repository that the token in `HF_TOKEN` may write to; a public one is read without."""

    repo: str
    endpoint: str

    def put(self, path: Path, sha256: str) -> str:
        """Commit a file on top of what is there, and return its place in that commit.

        Raises:
            Unavailable: the Hub refused, cannot be reached, or somebody committed in between.
        """
        from huggingface_hub import CommitOperationAdd

        name = f"artifacts/{sha256[:2]}/{sha256}"
        with _told(self.endpoint):
            api = self._api()
            head = api.repo_info(self.repo, repo_type="dataset").sha
            done = api.create_commit(
                self.repo,
                [CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(path))],
                commit_message=f"Artifact {sha256}",
                repo_type="dataset",
                parent_commit=head,
            )
        return str(Place.parse(f"hf://datasets/{self.repo}@{done.oid}/{name}"))

    def read(self, uri: str) -> Iterator[bytes]:
        """Return the bytes of one file in one commit; nothing of an earlier download is used.

        Raises:
            Refused: the address is not pinned by a commit.
            Unavailable: the Hub refused or cannot be reached.
        """
        place = Place.parse(uri)
        with tempfile.TemporaryDirectory() as folder:
            with _told(self.endpoint):
                found = self._api().hf_hub_download(
                    place.repo,
                    place.path,
                    repo_type="dataset",
                    revision=place.commit,
                    cache_dir=folder,
                )
            with Path(found).open("rb") as file:
                yield from iter(lambda: file.read(_CHUNK_BYTES), b"")

    def _api(self) -> HfApi:
        try:
            from huggingface_hub import HfApi
        except ImportError as error:
            raise Refused(
                "the Hugging Face store needs the extra `hf`: pip install 'dougong[hub,hf]'"
            ) from error
        return HfApi(endpoint=self.endpoint)


@contextlib.contextmanager
def _told(endpoint: str) -> Iterator[None]:
    """Turn whatever the client raises into a refusal that says whose it is."""
    try:
        yield
    except Problem:
        raise
    # The client lets through whatever its HTTP library, its cache and its checks raise.
    except Exception as error:
        parts = [str(each) for each in (error, error.__cause__) if each]
        text = " ".join(": ".join(parts).split())[:400]
        raise Unavailable(f"the Hugging Face Hub at {endpoint} did not do it: {text}") from error
