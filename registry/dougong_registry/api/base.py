"""What every view of the API does: refuse what no database holds, and say what may be cached."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from dougong_registry.columns import no_row_has
from dougong_registry.problem import Missing

FOR_EVER = "public, max-age=31536000, immutable"
"""Of what is named by its hash, or was signed: it never changes."""
FRESH = "public, max-age=30"
"""Of lists and boards: half a minute late at most, then a 304 to whoever sends the ETag."""
ASK_AGAIN = "no-cache"
"""Of what is being waited for: kept, and asked about each time (304)."""


class Api(APIView):
    """Base of the views under /api/v1/. ETags are the work of `ConditionalGetMiddleware`."""

    cache: ClassVar[str] = FRESH

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse addresses that no row can have: a NUL character, a number over 64 bits."""
        super().initial(request, *args, **kwargs)
        if why := no_row_has(kwargs):
            raise Missing(f"nothing here: {why}")

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Add how long an answer may be kept; no problem and no answer to a POST may be."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        if "Cache-Control" not in answer:
            good = request.method in {"GET", "HEAD"} and answer.status_code < 400
            answer["Cache-Control"] = self.cache if good else "no-store"
        return answer
