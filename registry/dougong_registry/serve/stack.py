"""What `dougong up` runs: one description a process, nothing started here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dougong_registry import environment
from dougong_registry.serve import valkey
from dougong_registry.serve.child import Spec
from dougong_registry.serve.errors import UpError
from dougong_registry.serve.home import MARK, Home

STOP_ORDER = ("web", ("worker", "queue", "forge", "clock"), "valkey")
_HUB_SECRETS = ("DOUGONG_SECRET_KEY", "DOUGONG_DATABASE_URL", *environment.FORGE)
_PYTHON = (sys.executable, "-P")  # -P: the state folder must not become a place to import from


class Stack:
    """The processes of one hub, all of the same home, broker and address."""

    def __init__(self, home: Home, *, hub_url: str, broker_url: str) -> None:
        self.home = home
        self._env = {
            **os.environ,
            "DOUGONG_HOME": str(home.path),
            "DOUGONG_HUB_URL": hub_url,
            "DOUGONG_BROKER_URL": broker_url,
            "PYTHONUNBUFFERED": "1",
            # A proxy of the network must not be asked for this machine's own hub.
            "NO_PROXY": _with_loopback(os.environ.get("NO_PROXY", "")),
            "no_proxy": _with_loopback(os.environ.get("no_proxy", "")),
            MARK: str(home.path),
        }
        self._env.pop("DOUGONG_TOKEN", None)

    def settings(self) -> dict[str, str]:
        """Return the variables that the hub's settings read, for the supervisor's own process."""
        return {
            name: self._env[name]
            for name in ("DOUGONG_HOME", "DOUGONG_HUB_URL", "DOUGONG_BROKER_URL")
        }

    def web(self, descriptor: int) -> Spec:
        """Gunicorn on a socket that is already listening."""
        return self._spec(
            "web",
            *("-m", "gunicorn", "-c", "python:dougong_registry.serve.gunicorn_conf"),
            *("--bind", f"fd://{descriptor}"),
            env=self._env,
            descriptors=(descriptor,),
        )

    def queue(self) -> Spec:
        """The worker of the hub's own short tasks."""
        return self._celery("queue", "dougong_registry.celery:app", "worker", "-Q", "hub")

    def forge(self) -> Spec | None:
        """The worker of what a forge is asked, apart so that the hub's tasks never wait for it.

        None where the hub serves no forge.
        """
        if not environment.forge(self._env):
            return None
        return self._celery("forge", "dougong_registry.celery:app", "worker", "-Q", "forge")

    def clock(self) -> Spec:
        """Send the hub's periodic tasks.

        A process of its own: inside a worker, it would be forked and outlive the worker's SIGKILL.
        """
        schedule = self.home.broker / "clock"
        return self._spec(
            "clock",
            *("-m", "celery", "-A", "dougong_registry.celery:app", "beat"),
            *("--schedule", str(schedule), "--pidfile", ""),
            env=self._env,
        )

    def worker(self, number: int) -> Spec:
        """A judge. It holds a runner's key, and neither the database nor the hub's secrets."""
        env = {name: value for name, value in self._env.items() if name not in _HUB_SECRETS}
        env["DOUGONG_RUNNER_KEY"] = str(self.home.runner_key(number))
        # Stopping is not waited for: what is being judged goes back to the queue at its next event.
        env["DOUGONG_DRAIN_S"] = "0"
        return self._celery(f"worker-{number}", "dougong_ci.worker:app", "worker", env=env)

    def submit(self, path: Path, *, token: str) -> Spec:
        """Submit through the same command that anyone uses.

        Raises:
            UpError: the command is not installed beside this Python.
        """
        command = Path(sys.executable).with_name("dougong")
        if not command.exists():
            raise UpError(
                f"{command} does not exist; install Dougong with `pip install dougong[hub]`"
            )
        return Spec(
            name="submit",
            argv=(str(command), "submit", str(path), "--json"),
            env={**self._env, "DOUGONG_TOKEN": token},
            log=self.home.logs / "submit.log",
            cwd=Path.cwd(),
        )

    def _celery(
        self, name: str, app: str, *arguments: str, env: dict[str, str] | None = None
    ) -> Spec:
        return self._spec(
            name,
            *("-m", "celery", "-A", app, *arguments),
            *("--pool", "solo", "--hostname", f"{name}@%h", "--loglevel", "info"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            env=env or self._env,
            # A judgement cannot be hurried: it is cut off, and its job goes back to the queue.
            grace_s=2.0,
        )

    def _spec(
        self,
        name: str,
        *arguments: str,
        env: dict[str, str],
        descriptors: tuple[int, ...] = (),
        grace_s: float = 5.0,
    ) -> Spec:
        return Spec(
            name=name,
            argv=(*_PYTHON, *arguments),
            env=env,
            log=self.home.logs / f"{name}.log",
            cwd=self.home.path,
            descriptors=descriptors,
            grace_s=grace_s,
        )

    def valkey(self, address: Path) -> Spec:
        """The embedded broker."""
        return valkey.spec(
            folder=self.home.broker,
            address=address,
            log=self.home.logs / "valkey.log",
            env=self._env,
        )


def _with_loopback(hosts: str) -> str:
    return ",".join(dict.fromkeys([*filter(None, hosts.split(",")), "127.0.0.1", "localhost"]))
