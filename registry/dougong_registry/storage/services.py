"""Copying artifacts to their second home, and getting them back from it."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from dougong_registry.audit.services import HUB, record
from dougong_registry.plugins import store
from dougong_registry.plugins.models import Artifact
from dougong_registry.problem import Missing, Refused
from dougong_registry.storage.huggingface import HuggingFaceStore
from dougong_registry.storage.models import Location
from dougong_registry.storage.place import Store


def second_home() -> Store:
    """Return the store that the settings name.

    Raises:
        Refused: none is named.
    """
    if not settings.DOUGONG_HF_REPO:
        raise Refused("no second home is set; set DOUGONG_HF_REPO to a dataset, owner/name")
    return HuggingFaceStore(repo=settings.DOUGONG_HF_REPO, endpoint=settings.HF_ENDPOINT)


def without_copy() -> QuerySet[Artifact]:
    """Return the artifacts that lie on this machine only, oldest first."""
    return Artifact.objects.filter(locations__isnull=True).order_by("pk")


def copy_out(artifact: Artifact) -> Location:
    """Copy the bytes of an artifact out; they count as there once they were read back and hashed.

    Raises:
        Missing: they are gone from here.
        Unavailable: the other store refused, or gave other bytes back.
    """
    path = store.path_of(artifact.sha256)
    if not path.is_file():
        raise Missing(f"the bytes of {artifact.filename} are gone from the store")
    home = second_home()
    uri = home.put(path, artifact.sha256)
    store.receive_exactly(home.read(uri), artifact.sha256, where=uri).drop()
    location = Location.objects.create(artifact=artifact, uri=uri)
    record(actor=HUB, verb="artifact.copied", target=artifact.filename, uri=uri)
    return location


def path_here(artifact: Artifact) -> Path:
    """Return where the bytes of an artifact lie on this machine, fetched from a copy if need be.

    Raises:
        Missing: they are gone, and there is no copy.
        Unavailable: the copy cannot be had, or is not what it was.
    """
    path = store.path_of(artifact.sha256)
    if path.is_file():
        return path
    location = artifact.locations.order_by("pk").last()
    if location is None:
        raise Missing(f"the bytes of {artifact.filename} are gone from the store")
    chunks = second_home().read(location.uri)
    return store.receive_exactly(chunks, artifact.sha256, where=location.uri).keep()
