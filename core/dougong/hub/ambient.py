"""The ID token that a job on GitHub Actions may ask for: who it is, said by its forge."""

from __future__ import annotations

import os

import httpx

from dougong.errors import HubError

URL, TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
TIMEOUT_S = 30.0


def id_token(audience: str) -> str | None:
    """Return an ID token for an audience, or None where no job runs that may have one.

    Args:
        audience: Address of the hub that is to read it, and of no other.

    Raises:
        HubError: the forge does not give one.
    """
    url, token = os.environ.get(URL), os.environ.get(TOKEN)
    if not url or not token:
        return None
    try:
        answer = httpx.get(
            httpx.URL(url).copy_merge_params({"audience": audience}),
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
            follow_redirects=False,
        )
        answer.raise_for_status()
        value = answer.json()["value"]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        raise HubError(
            f"the job got no ID token from {URL}: {error}; it needs `permissions: id-token: write`"
        ) from error
    return str(value)
