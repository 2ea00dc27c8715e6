"""One build: sources of a pull request from the hub, a wheel from the sandbox, back to the hub."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

from dougong.errors import DougongError, HubError
from dougong_ci.intake import sources
from dougong_ci.judge.building import build_wheel
from dougong_ci.judge.unpacking import SubmissionError
from dougong_ci.runner.protocol import printable
from dougong_ci.worker.hub import Gone, HubLink

log = logging.getLogger(__name__)


def perform(build_id: int, nonce: str, hub_url: str) -> None:
    """Download, build in the sandbox, hand the wheel in; no code of the project runs outside it.

    A build that is over, or of another nonce, is dropped in silence.

    Raises:
        HubError: the hub was away for too long; it sends the build out again.
    """
    private_key = Path(os.environ["DOUGONG_RUNNER_KEY"]).read_text("ascii")
    link = HubLink(hub_url, build_id, nonce, private_key, kind="builds")
    try:
        order = link.claim()
        with tempfile.TemporaryDirectory(prefix="dougong-build-") as scratch:
            wheel = _built(link, order, Path(scratch))
            link.built(wheel.name, wheel.read_bytes())
    except Gone as gone:
        log.info("build %s dropped: %s", build_id, gone)
    except HubError:
        raise
    except (SubmissionError, ValueError) as error:
        link.complete("failed", printable(str(error), 2000) or type(error).__name__)
    except (DougongError, OSError) as error:
        log.exception("build failed")
        link.complete("errored", printable(str(error), 2000) or type(error).__name__)
    finally:
        link.close()


def _built(link: HubLink, order: dict[str, object], scratch: Path) -> Path:
    archive, folder, target = scratch / "sources.tar", scratch / "project", scratch / "wheel"
    link.download(str(order["sources_url"]), archive)
    sources.unpack(archive, folder)
    target.mkdir()
    return build_wheel(folder, target)
