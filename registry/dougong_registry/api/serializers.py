"""Serializers: what is sent in, and, made from the typed rows, what goes out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import types
import typing
from typing import Any

from rest_framework import serializers

from dougong_registry.search.rows import ORDERINGS

_PLAIN: dict[Any, type[serializers.Field[Any, Any, Any, Any]]] = {
    str: serializers.CharField,
    int: serializers.IntegerField,
    float: serializers.FloatField,
    bool: serializers.BooleanField,
    dt.datetime: serializers.DateTimeField,
}


class UploadInput(serializers.Serializer[Any]):
    """A wheel, as multipart form data."""

    wheel = serializers.FileField()


class NonceInput(serializers.Serializer[Any]):
    """The nonce of the attempt that a message named."""

    nonce = serializers.CharField(max_length=64)


class EventsInput(NonceInput):
    """What a worker reports; see `docs/api.md` for the kinds."""

    events = serializers.ListField(child=serializers.DictField(), max_length=1000)


class EnvelopeInput(serializers.Serializer[Any]):
    """A signed verdict: its canonical JSON text, whose key, and the signature over the text."""

    payload = serializers.CharField(trim_whitespace=False)
    key_id = serializers.CharField(max_length=64)
    signature = serializers.CharField(max_length=256)


class RunInput(NonceInput):
    """One verdict of a job."""

    envelope = EnvelopeInput()


class CompleteInput(NonceInput):
    """How a job ended."""

    outcome = serializers.ChoiceField(choices=["judged", "failed"])
    reason = serializers.CharField(max_length=4000, allow_blank=True, default="")


class HandBackInput(NonceInput):
    """Why a job is given back."""

    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class HeartbeatInput(serializers.Serializer[Any]):
    """What a runner can do now; `hardware` gives the hardware class of each device."""

    hardware = serializers.DictField(child=serializers.CharField(max_length=128))
    memory_bytes = serializers.IntegerField(min_value=0, max_value=2**62, default=0)
    judge_version = serializers.CharField(max_length=64, allow_blank=True, default="")
    torch_version = serializers.CharField(max_length=64, allow_blank=True, default="")
    draining = serializers.BooleanField(default=False)


class OperatorsQuery(serializers.Serializer[Any]):
    """Filters of the list of operators; each narrows what the others left."""

    q = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    family = serializers.CharField(required=False, allow_blank=True, default="", max_length=32)
    contract = serializers.CharField(required=False, allow_blank=True, default="", max_length=64)
    verdict = serializers.CharField(required=False, allow_blank=True, default="", max_length=16)
    device = serializers.CharField(required=False, allow_blank=True, default="", max_length=32)
    dtype = serializers.CharField(required=False, allow_blank=True, default="", max_length=32)
    ordering = serializers.ChoiceField(
        choices=ORDERINGS, required=False, allow_blank=True, default=""
    )
    limit = serializers.IntegerField(required=False, default=200, min_value=1, max_value=200)
    offset = serializers.IntegerField(required=False, default=0, min_value=0, max_value=1_000_000)


class BoardQuery(serializers.Serializer[Any]):
    """Which board of a contract; what is left out is the fullest there is."""

    hardware = serializers.CharField(required=False, max_length=128)
    dtype = serializers.CharField(required=False, max_length=32)
    mode = serializers.CharField(required=False, max_length=32)
    limit = serializers.IntegerField(required=False, default=100, min_value=1, max_value=200)
    offset = serializers.IntegerField(required=False, default=0, min_value=0, max_value=1_000_000)


class EventsQuery(serializers.Serializer[Any]):
    """Events after this sequence number."""

    after = serializers.IntegerField(required=False, default=0, min_value=0)


@functools.cache
def output_of(row: type) -> type[serializers.Serializer[Any]]:
    """Return the serializer that describes a row dataclass, for the schema."""
    hints = typing.get_type_hints(row)
    fields = {field.name: _field(hints[field.name]) for field in dataclasses.fields(row)}
    return type(f"{row.__name__}Output", (serializers.Serializer,), fields)


def _field(hint: Any) -> serializers.Field[Any, Any, Any, Any]:
    if isinstance(hint, types.UnionType):
        inner = next(part for part in typing.get_args(hint) if part is not type(None))
        field = _field(inner)
        field.allow_null = True
        return field
    if typing.get_origin(hint) in (tuple, list):
        return serializers.ListField(child=_field(typing.get_args(hint)[0]))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return output_of(hint)()
    return _PLAIN[hint]() if hint in _PLAIN else serializers.DictField()


def render(row: Any) -> Any:
    """Return a row, or a sequence of rows, as plain data that a renderer knows."""
    if isinstance(row, (tuple, list)):
        return [render(each) for each in row]
    return dataclasses.asdict(row)
