"""Real git repositories with a contrib/ of their own; loaded by path where others need one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ENV = {
    **os.environ,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}
PLUGIN = """\
schema = 1
plugin = "{name}"
families = ["norm"]
license = "MIT"

[[owners]]
login = "ada"
id = 5
"""
RELEASE = """\
schema = 1
version = "{version}"
level = "L2"
contracts = ["norm.rms@1"]
summary = "What is new."
"""
PROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "{version}"
license = "{license}"
dependencies = [{needs}]

[project.entry-points.dougong]
{name} = "{package}"

[tool.hatch.build]
dev-mode-dirs = ["."]
[tool.hatch.build.targets.wheel]
packages = ["{package}"]
"""


def project(
    name: str = "acme-rms", version: str = "1.0", license: str = "MIT", needs: str = '"dougong"'
) -> str:
    return PROJECT.format(
        name=name, version=version, license=license, needs=needs, package=name.replace("-", "_")
    )


def release(name: str = "acme-rms", version: str = "1.0", **values: str) -> dict[str, str]:
    """The files that say what version a plugin is, by path in the repository."""
    return {
        f"contrib/{name}/pyproject.toml": project(name, version=version, **values),
        f"contrib/{name}/release.toml": RELEASE.format(version=version),
    }


def plugin(name: str = "acme-rms", **values: str) -> dict[str, str]:
    """The files of a plugin, by path in the repository."""
    package = name.replace("-", "_")
    return {
        **release(name, **values),
        f"contrib/{name}/plugin.toml": PLUGIN.format(name=name),
        f"contrib/{name}/{package}/__init__.py": "def rms(x):\n    return x\n",
        f"contrib/{name}/tests/test_it.py": "def test_it():\n    assert True\n",
        f"contrib/{name}/README.md": "# It\n",
    }


class Made:
    """A repository with a main branch that holds a little of everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", "--template=", ".")
        self.main = self.commit(
            "main",
            {
                "README.md": "# Dougong\n",
                "ci/dougong_ci/judge/speed.py": "FAIR = True\n",
                "core/dougong/contracts/norm.py": "EPS = 1e-6\n",
                "governance/levels-2026.1.toml": "approvals = 2\n",
                ".github/workflows/dougong.yml": "on: pull_request\n",
                **plugin("other-norm"),
            },
        )

    def copied(self, folder: Path) -> Made:
        copy = object.__new__(Made)
        copy.folder, copy.main = folder, self.main
        shutil.copytree(self.folder, folder)
        return copy

    def git(self, *words: str, stdin: str | None = None) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.folder,
            env=ENV,
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(
        self,
        branch: str,
        files: dict[str, str | bytes | None],
        *,
        links: dict[str, str] | None = None,
        start: str = "",
    ) -> str:
        """Commit files (None deletes) to a branch, made from `start` or main; return the hash."""
        if self.git("for-each-ref", "--count=1"):
            known = not start and self.git("branch", "--list", branch)
            words = [branch] if known else ["-B", branch, start or "main"]
            self.git("checkout", "--quiet", *words)
        for path, content in files.items():
            place = self.folder / path
            if content is None:
                place.unlink()
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
        for path, target in (links or {}).items():
            (self.folder / path).symlink_to(target)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"change {len(files)} files")
        return self.git("rev-parse", "HEAD")

    def crowd(self, branch: str, folder: str, count: int) -> str:
        """Commit many empty files without writing them out; return the hash."""
        oid = self.git("hash-object", "-w", "--stdin", stdin="")
        self.git("checkout", "--quiet", "-B", branch, "main")
        rows = "".join(f"100644 {oid}\t{folder}/{at}.txt\n" for at in range(count))
        self.git("update-index", "--index-info", stdin=rows)
        self.git("commit", "--quiet", "--message", f"{count} files")
        return self.git("rev-parse", "HEAD")
