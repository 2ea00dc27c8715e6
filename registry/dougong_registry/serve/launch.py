"""`dougong up` from the first check to the last process ended."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from socket import socket
from typing import Any

import httpx

from dougong_registry.serve import logs, ports, prepare, valkey
from dougong_registry.serve.display import Display
from dougong_registry.serve.errors import StopRequested, UpError
from dougong_registry.serve.follow import Follower
from dougong_registry.serve.home import Home
from dougong_registry.serve.stack import STOP_ORDER, Stack
from dougong_registry.serve.supervisor import Supervisor

INTERRUPTED = 130
_POLL_S = 1.0
_READY_TIMEOUT_S = 60.0
_SUBMIT_TIMEOUT_S = 600.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What the user asked for."""

    home: Path
    host: str = "127.0.0.1"
    port: int | None = None
    """None: 8000, or the next free one."""
    submit: tuple[Path, ...] = ()
    until_judged: bool = False
    workers: int = 1
    broker_url: str | None = None
    """None: the embedded Valkey server."""


def up(options: Options, display: Display) -> int:
    """Bring the hub up, keep it up, and take everything down again; return the exit status.

    Raises:
        UpError: it cannot start, or a submission is refused.
    """
    home = Home(options.home)
    home.make()
    with home.hold(), contextlib.ExitStack() as exits:
        if left := home.kill_leftovers():
            display.note(f"ended {len(left)} processes left by a hub that was killed")
        bound, moved = ports.listen(options.host, options.port)
        exits.enter_context(bound)
        if moved:
            display.note(moved)
        supervisor = Supervisor(display.note)
        supervisor.listen()
        exits.callback(home.hub_file.unlink, missing_ok=True)
        exits.callback(supervisor.stop, STOP_ORDER)
        try:
            launch = Launch(options, home, display, supervisor)
            supervisor.on_death = launch.worker_died
            return launch.run(bound)
        except StopRequested:
            display.stopping()
            return INTERRUPTED if options.until_judged else 0


class Launch:
    """One life of the hub."""

    def __init__(
        self, options: Options, home: Home, display: Display, supervisor: Supervisor
    ) -> None:
        self._options = options
        self._home = home
        self._display = display
        self._supervisor = supervisor

    def run(self, bound: socket) -> int:
        """Start everything, submit, follow; then stay, or leave once all is judged."""
        started = time.monotonic()
        url = ports.url(bound)
        address = self._home.socket_path()
        stack = Stack(
            self._home, hub_url=url, broker_url=self._options.broker_url or valkey.url(address)
        )
        self._start_broker(stack, address)
        token = self._prepare(stack)
        with _client(url) as client:
            self._start_hub(stack, bound, client)
            self._home.write_hub_file(url=url, token=token)
            self._display.ready(url)
            followers, refused = self._submit(stack, client, token)
            problems = [*refused, *self._follow(followers)]
        if self._options.submit:
            self._display.end(problems, seconds=time.monotonic() - started)
        if self._options.until_judged:
            return 1 if problems else 0
        while True:
            self._supervisor.wait(3600.0)

    def _start_broker(self, stack: Stack, address: Path) -> None:
        if self._options.broker_url:
            return
        with self._display.step("broker (embedded Valkey)"):
            child = self._supervisor.start(stack.valkey(address))
            self._supervisor.until(
                lambda: valkey.answers(address), child, timeout_s=_READY_TIMEOUT_S
            )

    def _prepare(self, stack: Stack) -> str:
        with self._display.step(f"state in {self._home.path}"):
            prepare.configure(stack.settings())
            prepare.migrate()
            self._supervisor.wait(0)
            prepare.collect_static()
            prepare.register_runners(self._home, count=self._options.workers)
            token = prepare.token(self._home)
            lost = prepare.release_jobs(self._home.runner_keys())
        if lost:
            self._display.note(f"{lost} jobs of a judge that was stopped go back to the queue")
        return token

    def worker_died(self, name: str) -> None:
        """Put the job of a dead worker back into the queue, before its next life begins."""
        number = name.removeprefix("worker-")
        if number.isdecimal():
            try:
                prepare.release_jobs([self._home.runner_key(int(number))])
            except Exception as error:
                self._display.note(f"the job of {name} waits for the end of its lease: {error}")

    def _start_hub(self, stack: Stack, bound: socket, client: httpx.Client) -> None:
        workers = self._options.workers
        with self._display.step(f"web, queue, clock, {workers} worker{'s' * (workers != 1)}"):
            web = self._supervisor.start(stack.web(bound.fileno()))
            for number in range(1, workers + 1):
                self._supervisor.start(stack.worker(number))
            self._supervisor.start(stack.queue())
            if (forge := stack.forge()) is not None:
                self._supervisor.start(forge)
            self._supervisor.start(stack.clock())
            self._supervisor.until(lambda: _answers(client), web, timeout_s=_READY_TIMEOUT_S)

    def _submit(
        self, stack: Stack, client: httpx.Client, token: str
    ) -> tuple[list[Follower], list[str]]:
        """Submit each path; return what to follow, and why the others were refused."""
        followers, refused = [], []
        for path in self._options.submit:
            spec = stack.submit(path, token=token)
            spec.log.unlink(missing_ok=True)
            with self._display.step(f"submit {path}"):
                status = self._supervisor.run(spec, timeout_s=_SUBMIT_TIMEOUT_S)
            if status == 0:
                followers.append(Follower(client, _submission_id(spec.log)))
            else:
                refused.append(f"{path} was not submitted: {logs.tail(spec.log)}")
        return followers, refused

    def _follow(self, followers: list[Follower]) -> list[str]:
        while True:
            for follower in followers:
                for progress in follower.poll():
                    operators = [p for f in followers for p in f.operators.values()]
                    done = sum(1 for p in operators if p.outcome)
                    self._display.operator(progress, done=done, total=len(operators))
            self._display.progress(followers)
            if all(follower.finished for follower in followers):
                return [problem for follower in followers for problem in follower.problems()]
            self._supervisor.wait(_POLL_S)


def _submission_id(log: Path) -> str:
    text = log.read_text()
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(_last_object(text)["id"])
    raise UpError(f"`dougong submit --json` printed no submission id:\n{text[-2000:]}")


def _last_object(text: str) -> dict[str, Any]:
    """Return the JSON object that a text ends with; warnings may come before it."""
    decoder = json.JSONDecoder()
    for start in _openings(text):
        with contextlib.suppress(ValueError):
            found, end = decoder.raw_decode(text, start)
            if not text[end:].strip() and isinstance(found, dict):
                return found
    raise ValueError("no JSON object at the end")


def _openings(text: str) -> Iterator[int]:
    start = text.find("{")
    while start >= 0:
        yield start
        start = text.find("{", start + 1)


@contextlib.contextmanager
def _client(url: str) -> Iterator[httpx.Client]:
    # The environment may name a proxy, which cannot reach this machine's own hub.
    with httpx.Client(base_url=url, trust_env=False, timeout=10.0) as client:
        yield client


def _answers(client: httpx.Client) -> bool:
    try:
        # The socket is listening before the server is there: ask briefly, tend, ask again.
        return client.get("/readyz", timeout=0.5).is_success
    except httpx.HTTPError:
        return False
