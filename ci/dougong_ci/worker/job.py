"""One job from claim to completion."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from dougong.errors import DougongError, HubError
from dougong_ci.judge import PROFILES, JudgeRequest, judge
from dougong_ci.judge.source import file_digest
from dougong_ci.report import signing
from dougong_ci.report.verdict import Outcome, Verdict
from dougong_ci.runner.protocol import printable
from dougong_ci.worker.drain import HandedBack, drain
from dougong_ci.worker.hub import Gone, HubLink
from dougong_ci.worker.reporter import Reporter

log = logging.getLogger(__name__)


class JobError(DougongError):
    """The job cannot be judged as it stands."""


def perform(job_id: int, nonce: str, hub_url: str) -> None:
    """Claim, download, judge, post each verdict as it stands, complete; or hand it back.

    A job that is over, or that another runner holds, is dropped in silence.

    Raises:
        HubError: the hub was away for too long; its sweeper sends the job out again.
    """
    private_key = Path(os.environ["DOUGONG_RUNNER_KEY"]).read_text("ascii")
    link = HubLink(hub_url, job_id, nonce, private_key)
    try:
        _perform(link, private_key)
    except Gone as gone:
        log.info("job %s dropped: %s", job_id, gone)
    finally:
        link.close()


def _perform(link: HubLink, private_key: str) -> None:
    job = link.claim()
    with Reporter(link) as reporter, tempfile.TemporaryDirectory(prefix="dougong-job-") as folder:

        def take(event: dict[str, Any]) -> None:
            drain.check()
            reporter.take(event)

        def post(verdict: Verdict) -> None:
            if drain.asked.is_set() and verdict.outcome != Outcome.PASSED:
                # Who stops a service may signal its sandboxes too: a crash says nothing then.
                raise HandedBack("the worker is being taken down")
            reporter.flush()  # the hub wants an operator discovered before its run
            link.run(signing.seal(verdict, private_key))

        try:
            judge(_request(link, job, Path(folder)), take, post)
            reporter.flush()
            link.complete("judged")
        except HubError:
            raise
        except HandedBack as leaving:
            link.hand_back(str(leaving))
        # Whatever else went wrong, the submitter must learn that there will be no verdict.
        except Exception as error:
            log.exception("job failed")
            if drain.asked.is_set():
                link.hand_back("the worker is being taken down")
                return
            reason = str(error) if isinstance(error, DougongError) else f"judge error: {error!r}"
            reporter.flush()
            link.complete("failed", printable(reason, 500) or type(error).__name__)


def _request(link: HubLink, job: dict[str, Any], folder: Path) -> JudgeRequest:
    # pip's naming rule does not matter here: the wheel is named by the digest the hub gave.
    wheel = folder / f"{job['sha256']}.whl"
    link.download(str(job["artifact_url"]), wheel)
    if (found := file_digest(wheel)) != job["sha256"]:
        raise JobError(f"the artifact must have sha256 {job['sha256']}, got {found}")
    profile = PROFILES.get(str(job["profile"]))
    if profile is None:
        raise JobError(f"profile must be one of {', '.join(PROFILES)}, got {job['profile']!r}")
    operators = tuple(map(str, job.get("operators") or ()))
    only = "".join(f" --operator {name}" for name in operators)
    return JudgeRequest(
        path=wheel,
        operators=operators,
        profile=profile,
        device=str(job["device"]),
        distribution=str(job["distribution"]),
        version=str(job["version"]),
        repeat=f"dougong judge <wheel {job['sha256'][:12]}> --profile {profile.name}{only}",
    )
