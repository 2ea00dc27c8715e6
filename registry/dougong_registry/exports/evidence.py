"""Whether what was imported is what runners signed and what the audit log says."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

from dougong_ci.report import signing
from dougong_ci.report.verdict import from_json
from dougong_registry.advisories.models import Revocation, SigningKey
from dougong_registry.advisories.services import FIRST
from dougong_registry.audit.models import Entry
from dougong_registry.audit.services import verify
from dougong_registry.contributions.digests import SEALED, digest
from dougong_registry.exports.manifest import Manifest
from dougong_registry.problem import Refused
from dougong_registry.runs import verdicts
from dougong_registry.runs.models import Run

SIGNED_COLUMNS = {"verdict_id": "id"} | {
    name: name for name in ("contract", "suite", "device", "hardware_class", "outcome", "code")
}
"""Columns of a run that repeat what its payload says, and the field there."""
CHUNK_ROWS = 20


def check_audit(found: Manifest) -> None:
    """Walk the audit log to the head that the manifest names.

    Raises:
        Refused: it is broken, or ends elsewhere.
    """
    chain = verify()
    if chain.broken_at is not None:
        raise Refused(f"the audit log of the export is broken: {chain.reason}")
    if (chain.entries, chain.head) != (found.audit_entries, found.audit_head):
        raise Refused(
            f"the audit log has {chain.entries} entries up to {chain.head}, the manifest says "
            f"{found.audit_entries} up to {found.audit_head}"
        )


def check_runs(*, recompute: bool) -> None:
    """Hold every run to the signature of its runner and to its signed payload.

    Raises:
        Refused: names the run and what of it is not as it was signed.
    """
    runs = Run.objects.select_related("runner").order_by("pk")
    for run in runs.iterator(chunk_size=CHUNK_ROWS):
        _check_signature(run)
        _check_columns(run)
        if recompute:
            _check_scores(run)


def check_contributions() -> None:
    """Hold every row of the ledger, and of who decided what of whom, to its audit entry.

    Raises:
        Refused: names the table; a row was changed, or is missing, or never was recorded.
    """
    for model, verbs in SEALED.items():
        entries = Entry.objects.filter(verb__in=verbs).values_list("payload", flat=True)
        said = Counter(json.loads(payload)["sha256"] for payload in entries.iterator())
        rows = model._base_manager.order_by("pk").iterator(chunk_size=CHUNK_ROWS)
        if said != (there := Counter(map(digest, rows))):
            raise Refused(
                f"{model._meta.label_lower} is not what the audit log holds: "
                f"{(there - said).total()} rows are not as they were recorded, "
                f"{(said - there).total()} entries have no row"
            )


def check_revocations() -> None:
    """Hold every line of the feed to its signature, to the line before and to its columns.

    Raises:
        Refused: names the line and what of it is not as it was signed.
    """
    keys = dict(SigningKey.objects.values_list("key_id", "public_key"))
    previous = FIRST
    rows = Revocation.objects.select_related("advisory").order_by("seq")
    for number, row in enumerate(rows.iterator(chunk_size=CHUNK_ROWS), start=1):
        payload = row.payload.encode()
        if hashlib.sha256(payload).hexdigest() != row.payload_sha256:
            raise Refused(f"revocation {row.seq}: the payload is not that of its sha256")
        public = keys.get(row.key_id, "")
        signed = signing.verify(payload, row.signature, public)
        if not signed or signing.key_id(public) != row.key_id:
            raise Refused(
                f"revocation {row.seq}: the signature is not of this payload by {row.key_id}"
            )
        kept = {
            "seq": row.seq,
            "previous": previous,
            "at": row.at.isoformat(),
            "action": row.action,
            "advisory": row.advisory.number,
            "sha256": row.sha256,
        }
        said = json.loads(row.payload)
        differing = [name for name, value in kept.items() if said.get(name) != value]
        if row.seq != number or differing:
            raise Refused(
                f"revocation {row.seq}, the feed's line {number}, is not as it was signed: "
                f"{', '.join(differing) or 'lines before it are missing'}"
            )
        previous = row.payload_sha256


def _check_signature(run: Run) -> None:
    payload = run.payload.encode()
    if hashlib.sha256(payload).hexdigest() != run.payload_sha256:
        raise Refused(f"run {run.verdict_id}: the payload is not that of its sha256")
    runner = run.runner
    if run.key_id != runner.key_id or signing.key_id(runner.public_key) != runner.key_id:
        raise Refused(
            f"run {run.verdict_id}: it is of key {run.key_id}, runner {runner} of another"
        )
    if not signing.verify(payload, run.signature, runner.public_key):
        raise Refused(f"run {run.verdict_id}: the signature is not of this payload by {runner}")


def _check_columns(run: Run) -> None:
    verdict = json.loads(run.payload)
    said = {column: verdict.get(field) for column, field in SIGNED_COLUMNS.items()}
    said |= verdicts.made_by(verdict.get("fingerprint") or {}, verdict.get("judge") or {})
    for column, value in said.items():
        if getattr(run, column) != value:
            raise Refused(
                f"run {run.verdict_id}: {column} is {getattr(run, column)!r}, signed was {value!r}"
            )


def _check_scores(run: Run) -> None:
    computed = {
        (s.dtype, s.mode): (s.speedup, s.ci_low, s.ci_high, s.coverage, s.restarts, s.decision)
        for s in verdicts.recompute_scores(from_json(run.payload))
    }
    kept = {
        (s.dtype, s.mode): (s.speedup, s.ci_low, s.ci_high, s.coverage, s.restarts, s.decision)
        for s in run.scores.all()
    }
    if computed != kept:
        raise Refused(f"run {run.verdict_id}: its scores are not those of its raw samples")
