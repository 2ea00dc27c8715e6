"""An environment of their own for the tools compared: they are never dependencies of Dougong."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

KERNELS, KERNELGUARD = "0.17.2", "0.3.2"
_REQUIREMENTS = (f"kernels=={KERNELS}", "tabulate>=0.9", f"kernelguard=={KERNELGUARD}")
"""`tabulate` is what the extra `kernels[benchmark]` adds to torch and numpy, drawings aside."""


def default_folder() -> Path:
    """Return where the environment is kept from one run to the next."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "dougong" / f"other-tools-{KERNELS}-{KERNELGUARD}"


def prepare(folder: Path) -> Path:
    """Make the environment where it is missing, and return its folder of programs.

    It sees this interpreter's own packages after its own, so that torch is the one that Dougong is
    measured with, and the contracts can be imported; nothing is installed there.

    Raises:
        subprocess.CalledProcessError: pip could not install the tools.
    """
    programs = folder / "bin"
    if (programs / "kernelguard").exists() and (programs / "kernels").exists():
        return programs
    venv.create(folder, with_pip=True)
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    paths = {sysconfig.get_paths()[key] for key in ("purelib", "platlib")}
    link = folder / "lib" / python / "site-packages" / "zz-measured-with.pth"
    link.write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in sorted(paths)))
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", *_REQUIREMENTS], check=True)
    return programs
