"""The sub-commands `dougong judge` and `dougong worker`; what they need loads when they run."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dougong.hub import Hub
    from dougong_ci.judge import JudgeRequest
    from dougong_ci.report.verdict import Verdict

NOT_ALL_PASSED = 1


def judge(
    target: Annotated[
        str, typer.Argument(help="A wheel, a plugin's folder, or an installed operator or plugin.")
    ],
    profile: Annotated[
        str,
        typer.Option(
            "--profile", help="How thoroughly: accuracy (no speed), quick, standard or full."
        ),
    ] = "standard",
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Repeat a judgement with its seed.")
    ] = None,
    contract: Annotated[
        list[str] | None, typer.Option("--contract", help="Only operators of it; may be repeated.")
    ] = None,
    operator: Annotated[
        list[str] | None, typer.Option("--operator", help="Only this one; may be repeated.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="Where: cpu or cuda.")] = "cpu",
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder to write each verdict into, as JSON.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the verdicts as one list.")] = False,
) -> int:
    """Judge operators on this machine, exactly as a worker does.

    Exit status: 0 every operator passed; 1 one was rejected or nothing could be told; 2 there is
    nothing that can be judged.
    """
    import shlex
    import tempfile

    from dougong import evidence
    from dougong_ci import show
    from dougong_ci.judge import judge as run

    repeat = f"dougong judge {shlex.quote(target)} --profile {profile}"
    repeat += "" if device == "cpu" else f" --device {device}"
    with tempfile.TemporaryDirectory(prefix="dougong-build-") as scratch:
        request = dataclasses.replace(
            _request(target, profile, scratch, repeat),
            seed=seed,
            contracts=tuple(contract or ()),
            operators=tuple(operator or ()),
            device=device,
        )
        with show.progress(quiet=json) as display:
            verdicts = run(request, display.take)
    for verdict in verdicts:
        evidence.add(verdict.to_json())
        if output is not None:
            _write(output, verdict)
    if json:
        print("[" + ",\n".join(verdict.to_json() for verdict in verdicts) + "]")
    else:
        show.verdicts(verdicts)
    return 0 if all(verdict.outcome == "passed" for verdict in verdicts) else NOT_ALL_PASSED


def replay(
    verdict: Annotated[
        str, typer.Argument(help="A verdict's JSON file, or the id of a run on the hub.")
    ],
    wheel: Annotated[
        Path | None, typer.Option("--wheel", help="The wheel it is of, where it is not installed.")
    ] = None,
    hub: Annotated[str | None, typer.Option("--hub", help="Address of the hub.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print both verdicts and what differs.")
    ] = False,
) -> int:
    """Judge the subject of a stored verdict again with its seed, and compare.

    Exit status: 0 every gate came out as before and every accuracy number is bit-equal; 1 something
    differs; 2 it cannot be repeated here.
    """
    import tempfile

    from dougong.hub import Hub
    from dougong_ci import show
    from dougong_ci.judge.replay import machine_differs
    from dougong_ci.judge.replay import replay as run

    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="dougong-replay-"))
        client = Hub.configured(hub)
        if client is not None:
            stack.enter_context(client)
        stored = _stored(verdict, client)
        with show.progress(quiet=json) as display:
            found = run(
                stored,
                path=wheel,
                fetch=client.artifact if client else None,
                folder=Path(scratch),
                on_event=display.take,
            )
    if json:
        show.replay_json(found)
    else:
        show.replay(found, machine_differs(stored))
    return 0 if found.same else NOT_ALL_PASSED


def worker(
    hub: Annotated[
        str, typer.Option("--hub", envvar="DOUGONG_HUB_URL", help="Address of the hub.")
    ] = "",
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            envvar="DOUGONG_RUNNER_KEY",
            help="The runner's private key (PEM); made where there is none.",
            show_default="worker.pem in the state folder",
        ),
    ] = None,
    broker: Annotated[
        str | None, typer.Option("--broker", envvar="DOUGONG_BROKER_URL", help="Redis URL.")
    ] = None,
    device: Annotated[
        str,
        typer.Option("--device", envvar="DOUGONG_DEVICE", help="Judge on: cpu, cuda, or cpu,cuda."),
    ] = "cpu",
) -> int:
    """Serve a hub as a runner: take the jobs that fit this machine, judge, post signed verdicts.

    A machine without a key gets one, and the command is printed with which the hub's operator lets
    it in; until then the worker runs and waits.
    """
    import os
    import sys

    from dougong.home import state_folder
    from dougong_ci.report.verdict import DEVICES

    if not hub:
        raise typer.BadParameter("--hub must be the address of the hub")
    if strange := [name for name in device.split(",") if name not in DEVICES]:
        raise typer.BadParameter(f"--device must be of {', '.join(DEVICES)}, got {strange[0]!r}")
    key = key or state_folder() / "worker.pem"
    if not key.exists():
        _make_key(key)
    if not broker:
        raise typer.BadParameter("--broker must be the address of the hub's queue")
    env = {
        **os.environ,
        "DOUGONG_RUNNER_KEY": str(key.resolve()),
        "DOUGONG_BROKER_URL": broker,
        "DOUGONG_DEVICE": device,
        "DOUGONG_HUB_URL": hub,
    }
    # In place of this process, so that signals and the exit status are Celery's own.
    os.execve(  # noqa: S606 - arguments are a list built here
        sys.executable,
        [
            *(sys.executable, "-m", "celery", "-A", "dougong_ci.worker:app", "worker"),
            *("--pool", "solo", "--loglevel", "info"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        env,
    )


def _make_key(path: Path) -> None:
    from dougong_ci.report import signing
    from dougong_ci.worker.beacon import register_command

    private, public = signing.generate()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(private, "ascii")
    print(f"made the key of this machine, {path}; it stays here. Its public half: {public}")
    print(f"On the hub, let it in: {register_command(public)}", flush=True)


def _request(target: str, profile: str, scratch: str, repeat: str) -> JudgeRequest:
    from dougong_ci.judge import PROFILES, JudgeRequest
    from dougong_ci.judge.building import build_wheel

    if profile not in PROFILES:
        raise typer.BadParameter(f"--profile must be one of {', '.join(PROFILES)}, got {profile!r}")
    path: Path | None = Path(target)
    if path is not None and path.is_dir() and (path / "pyproject.toml").is_file():
        path = build_wheel(path, Path(scratch))
    elif path is not None and not path.exists():
        path = None
    if path is None and target.endswith(".whl"):
        raise typer.BadParameter(f"there is no wheel {target}")
    return JudgeRequest(
        path=path,
        installed=() if path else (target,),
        profile=PROFILES[profile],
        repeat=repeat,
    )


def _stored(name: str, client: Hub | None) -> Verdict:
    from dougong_ci.report.verdict import from_json

    path = Path(name)
    if path.is_file():
        text = path.read_text("utf-8")
    elif client is not None:
        text = client.verdict(name)
    else:
        raise typer.BadParameter(
            f"there is no file {name}; for a run of a hub give --hub or set DOUGONG_HUB_URL"
        )
    try:
        return from_json(text)
    except ValueError as error:
        raise typer.BadParameter(f"{name}: {error}") from error


def _write(folder: Path, verdict: Verdict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = str(verdict.subject.operator["name"]).replace("/", "--")
    (folder / f"{name}.json").write_text(verdict.to_json() + "\n", "utf-8")
