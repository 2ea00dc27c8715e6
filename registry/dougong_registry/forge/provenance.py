"""Provenance: an in-toto statement of what was built from what, signed with the hub's key."""

from __future__ import annotations

import base64
import json

from django.conf import settings

from dougong_ci.report import signing
from dougong_registry.advisories.keys import private_key
from dougong_registry.forge.config import configured
from dougong_registry.forge.models import Head, Provenance
from dougong_registry.forge.reviews import quorum
from dougong_registry.plugins.models import Release

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def provenance_record(*, head: Head, release: Release) -> Provenance:
    """Write the statement of a release, once, in the transaction that publishes it."""
    if known := Provenance.objects.filter(release=release).first():
        return known
    payload = json.dumps(_statement(head, release), sort_keys=True, separators=(",", ":"))
    private = private_key()
    return Provenance.objects.create(
        release=release,
        payload=payload,
        signature=signing.sign(pae(payload.encode()), private),
        key_id=signing.key_id(signing.public_of(private)),
    )


def pae(payload: bytes) -> bytes:
    """Return the bytes that a DSSE envelope signs of a payload: its type with it."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope(provenance: Provenance) -> dict[str, object]:
    """Return the DSSE envelope."""
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(provenance.payload.encode()).decode(),
        "signatures": [{"keyid": provenance.key_id, "sig": provenance.signature}],
    }


def _statement(head: Head, release: Release) -> dict[str, object]:
    config = configured()
    source = config.git_url if config else ""
    build = head.builds.filter(purpose="publish", state="done").latest("pk")
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": release.artifact.filename, "digest": {"sha256": release.artifact.sha256}}
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": f"{settings.DOUGONG_HUB_URL}/publish/#from-a-pull-request",
                "externalParameters": {
                    "repository": source,
                    "repository_id": head.pull.repository_id,
                    "pull_request": head.pull.number,
                    "path": f"contrib/{head.plugin}",
                },
                "resolvedDependencies": [
                    {"uri": f"git+{source}", "digest": {"gitCommit": head.pull.merge_sha}},
                    {"uri": f"git+{source}", "digest": {"gitTree": head.tree}},
                ],
                "internalParameters": {
                    "judged_head": head.sha,
                    "submission": head.submission_id,
                    "approved_by": list(quorum(head).approvers),
                },
            },
            "runDetails": {
                "builder": {"id": f"{settings.DOUGONG_HUB_URL}/runners/#{build.runner_key_id}"},
                "metadata": {"invocationId": f"build:{build.pk}"},
            },
        },
    }
