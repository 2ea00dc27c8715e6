"""The OpenAPI schema: what each view declares, and the problems that any of them may answer with.

`docs/schemas/openapi-1.json` is it, written down by `dougong-hub spectacular --format openapi-json
--file docs/schemas/openapi-1.json`; a test compares the two.
"""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers

from dougong_registry.api.problems import MEDIA_TYPE


class ProblemOutput(serializers.Serializer[Any]):
    """A problem of RFC 9457: the rule, the value and the way out are in `detail`."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()


class ProblemSchema(AutoSchema):
    """Declare the problems of every operation beside its answers."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Say how a request proves who sends it; views name it in `proof`."""
        proof: str | None = getattr(self.view, "proof", None)
        return [{proof: []}] if proof and self._proved() else []

    def _proved(self) -> bool:
        """Say whether the method asks for a proof: writes do, and reads where a view says so."""
        return self.method in getattr(self.view, "proved", ("POST",))

    def _get_response_bodies(
        self, direction: Literal["request", "response"] = "response"
    ) -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in self._problems():
            body = self._get_response_for_code(  # type: ignore[no-untyped-call]
                ProblemOutput, str(status), [MEDIA_TYPE], direction
            )
            bodies.setdefault(str(status), body)
        return bodies

    def _problems(self) -> list[int]:
        found = {406}
        if self.method == "POST":
            found |= {400, 401, 403, 404, 409, 413, 415, 422, 429}
        elif self.method == "GET" and self._proved():
            found |= {401, 403, 422, 429}
        elif "{" in self.path:
            found.add(404)
        if self.method == "GET" and self.get_override_parameters():
            found |= {400, 404}
        return sorted(found)
