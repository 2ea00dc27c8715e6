"""Serializers: what is sent in, and, made from the typed rows, what goes out."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import re
import types
import typing
from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers
from rest_framework.request import Request

_PLAIN: dict[Any, type[serializers.Field[Any, Any, Any, Any]]] = {
    str: serializers.CharField,
    int: serializers.IntegerField,
    float: serializers.FloatField,
    bool: serializers.BooleanField,
    dt.datetime: serializers.DateTimeField,
    dt.date: serializers.DateField,
}


class Text(serializers.CharField):
    """A string and nothing else: a number is not made one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Whole(serializers.IntegerField):
    """A whole number in digits: not `1.0`, not `1e3`."""

    def to_internal_value(self, data: Any) -> int:
        if not re.fullmatch(r"-?[0-9]{1,20}", str(data)):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class UploadInput(serializers.Serializer[Any]):
    """A wheel, as multipart form data."""

    wheel = serializers.FileField()


class NonceInput(serializers.Serializer[Any]):
    """The nonce of the attempt that a message named."""

    nonce = Text(max_length=64, validators=[RegexValidator("^[!-~]+$")])


class EventsInput(NonceInput):
    """What a worker reports; see `docs/api.md` for the kinds."""

    events = serializers.ListField(child=serializers.DictField(), max_length=1000)


class EnvelopeInput(serializers.Serializer[Any]):
    """A signed verdict: its canonical JSON text, whose key, and the signature over the text."""

    payload = Text(trim_whitespace=False)
    key_id = Text(max_length=64)
    signature = Text(max_length=256)


class RunInput(NonceInput):
    """One verdict of a job."""

    envelope = EnvelopeInput()


class CompleteInput(NonceInput):
    """How a job ended."""

    outcome = serializers.ChoiceField(choices=["judged", "failed"])
    reason = Text(max_length=4000, allow_blank=True, default="")


class HandBackInput(NonceInput):
    """Why a job is given back."""

    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class HeartbeatInput(serializers.Serializer[Any]):
    """What a runner can do now; `hardware` gives the hardware class of each device."""

    hardware = serializers.DictField(child=serializers.CharField(max_length=128))
    memory_bytes = serializers.IntegerField(min_value=0, max_value=2**62, default=0)
    judge_version = serializers.CharField(max_length=64, allow_blank=True, default="")
    torch_version = serializers.CharField(max_length=64, allow_blank=True, default="")
    suite_version = serializers.CharField(max_length=32, allow_blank=True, default="")
    draining = serializers.BooleanField(default=False)


class BoardQuery(serializers.Serializer[Any]):
    """Which board of a contract; what is left out is the fullest there is."""

    hardware = Text(required=False, allow_blank=True, trim_whitespace=False, max_length=128)
    dtype = Text(required=False, allow_blank=True, trim_whitespace=False, max_length=32)
    mode = Text(required=False, allow_blank=True, trim_whitespace=False, max_length=32)
    suite = Text(required=False, allow_blank=True, trim_whitespace=False, max_length=32)
    limit = Whole(required=False, default=100, min_value=1, max_value=200)
    offset = Whole(required=False, default=0, min_value=0, max_value=1_000_000)


class EventsQuery(serializers.Serializer[Any]):
    """Events after this sequence number."""

    after = Whole(required=False, default=0, min_value=0, max_value=2**31 - 1)


def asked(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """Return the parameters of a query, checked; a parameter given twice counts as last given."""
    query = kind(data=request.query_params.dict())
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)


def sent(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """Return the fields of a body, checked."""
    given = kind(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


@functools.cache
def output_of(row: type) -> type[serializers.Serializer[Any]]:
    """Return the serializer that describes a row dataclass, for the schema."""
    hints = typing.get_type_hints(row)
    fields = {field.name: _field(hints[field.name]) for field in dataclasses.fields(row)}
    return type(f"{row.__name__}Output", (serializers.Serializer,), fields)


def _field(hint: Any, *, allow_null: bool = False) -> serializers.Field[Any, Any, Any, Any]:
    # Fields are copied by calling them anew: what is set after the call is lost.
    if isinstance(hint, types.UnionType):
        inner = next(part for part in typing.get_args(hint) if part is not type(None))
        return _field(inner, allow_null=True)
    if typing.get_origin(hint) in (tuple, list):
        child = _field(typing.get_args(hint)[0])
        return serializers.ListField(child=child, allow_null=allow_null)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return output_of(hint)(allow_null=allow_null)
    return _PLAIN.get(hint, serializers.DictField)(allow_null=allow_null)


def render(row: Any) -> Any:
    """Return a row, or a sequence of rows, as plain data that a renderer knows."""
    if isinstance(row, (tuple, list)):
        return [render(each) for each in row]
    return row if isinstance(row, dict) else dataclasses.asdict(row)
