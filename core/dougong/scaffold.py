"""Write a whole plugin distribution that passes its own test before a line of it is changed."""

from __future__ import annotations

import dataclasses
import keyword
import re
import string
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from dougong.errors import DougongError
from dougong.operator import FAMILIES

TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NOREPLY = re.compile(r"(?P<id>[0-9]{1,18})\+(?P<login>[A-Za-z0-9-]{1,39})@users\.noreply\.[a-z.]+")
"""The address that a forge gives a person who keeps theirs private."""
LONGEST_NAME = 40


class ScaffoldError(DougongError):
    """A name or a folder does not do for a new plugin."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the template of one contract needs filled in."""

    module: str
    summary: str
    paper: str
    reference: str = "reference"
    target: str = "fast"
    fields: tuple[str, ...] = ('dtypes=("float32", "bfloat16")', 'gradients="first"')
    """Further keywords of `dougong.Operator`."""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "attention.exact": Kind(
            module="attention", summary="Exact attention.", paper="arXiv:1706.03762"
        ),
        "attention.approx": Kind(
            module="attention", summary="Approximate attention.", paper="arXiv:1706.03762"
        ),
        "norm.rms": Kind(module="rms_norm", summary="RMS norm.", paper="arXiv:1910.07467"),
        "norm.layer": Kind(module="layer_norm", summary="Layer norm.", paper="arXiv:1607.06450"),
        "norm.group": Kind(module="group_norm", summary="Group norm.", paper="arXiv:1803.08494"),
        "activation.silu": Kind(module="silu", summary="SiLU.", paper="arXiv:1702.03118"),
        "activation.gelu": Kind(module="gelu", summary="GELU.", paper="arXiv:1606.08415"),
        "activation.squared_relu": Kind(
            module="squared_relu", summary="Squared ReLU.", paper="arXiv:2109.08668"
        ),
        "activation.swiglu": Kind(module="swiglu", summary="SwiGLU.", paper="arXiv:2002.05202"),
        "optimizer.step": Kind(
            module="momentum",
            summary="SGD with momentum.",
            paper="https://proceedings.mlr.press/v28/sutskever13.html",
            reference="Momentum",
            target="ForeachMomentum",
            fields=('variant="sgd-momentum"', 'modes=("train",)'),
        ),
        "backend.inference": Kind(
            module="backend",
            summary="Inference without autograd.",
            paper="https://docs.pytorch.org/docs/stable/generated/torch.inference_mode.html",
            fields=('modes=("infer",)',),
        ),
        "transform.quantize": Kind(
            module="quantize",
            summary="Weights in 8 bits, one scale a row.",
            paper="arXiv:1712.05877",
            fields=('modes=("infer",)',),
        ),
    }
)
_DEFAULT = {
    "attention": "attention.exact",
    "norm": "norm.rms",
    "activation": "activation.silu",
    "optimizer": "optimizer.step",
    "backend": "backend.inference",
    "transform": "transform.quantize",
}


def create(
    family: str,
    name: str,
    *,
    contract: str | None = None,
    provider: str | None = None,
    directory: Path | None = None,
) -> Path:
    """Write the distribution `provider-name` and return its folder.

    Args:
        family: One of the six families.
        name: Second part of the operator's name: lower case, digits, hyphens.
        contract: `norm.rms`, `norm.rms@1`; by default the plainest contract of the family.
        provider: First part of the operator's name; by default made from git's `user.name`.
        directory: The project folder; by default `name` in the working folder. New or empty.

    Raises:
        ScaffoldError: a name breaks its rule, there is no such template, or the folder is taken.
    """
    if family not in FAMILIES:
        raise ScaffoldError(f"family must be one of {', '.join(FAMILIES)}, got {family!r}")
    contract = _contract(family, contract)
    author = git_user()
    provider = _checked("provider", provider) if provider else slug(author)
    fields = _fields(contract, _checked("name", name), provider, author)
    folder = (directory or Path(name)).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ScaffoldError(f"{folder} is not empty; choose another name or --directory")
    package = Path(fields["package"])
    files = {
        "pyproject.toml": "project/pyproject.toml",
        "README.md": "project/README.md",
        "plugin.toml": "project/plugin.toml",
        "release.toml": "project/release.toml",
        "dependencies.txt": "project/dependencies.txt",
        ".gitignore": "project/gitignore",
        f"{package}/__init__.py": "project/init.py",
        f"{package}/{fields['module']}.py": f"operators/{contract.partition('@')[0]}.py",
        f"tests/test_{package}.py": "project/test.py",
    }
    for target, template in files.items():
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (TEMPLATES / f"{template}.tmpl").read_text(encoding="utf-8")
        path.write_text(string.Template(text).substitute(fields), encoding="utf-8")
    (folder / package / "py.typed").touch()
    return folder


def git_user() -> str:
    """Return git's `user.name`, or 'me' where git does not know."""
    # A quote or a line break would end the string that the name is written into.
    return re.sub(r"[\"\\\x00-\x1f]", "", _git("user.name")).strip() or "me"


def forge_account(author: str) -> tuple[str, int]:
    """Return login and number of the author's account at the forge; 0 where git does not know."""
    found = _NOREPLY.fullmatch(_git("user.email").strip())
    return (found["login"], int(found["id"])) if found else (slug(author), 0)


def _git(setting: str) -> str:
    try:
        done = subprocess.run(
            ["git", "config", setting], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout


def slug(text: str) -> str:
    """Turn a person's name into a provider: `Ada Lovelace` into `ada-lovelace`."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    made = "-".join(words)[:30].strip("-")
    return made if _NAME.fullmatch(made) else "me"


def _contract(family: str, contract: str | None) -> str:
    from dougong import contracts

    kind = (contract or _DEFAULT[family]).partition("@")[0]
    if kind.partition(".")[0] != family or kind not in KINDS:
        known = ", ".join(each for each in KINDS if each.startswith(f"{family}."))
        raise ScaffoldError(f"contract of family {family} must be one of {known}, got {contract!r}")
    versions = [each for each in contracts.ids() if each.partition("@")[0] == kind]
    if contract and "@" in contract:
        if contract not in versions:
            raise ScaffoldError(f"contract must be one of {', '.join(versions)}, got {contract!r}")
        return contract
    return max(versions, key=lambda each: int(each.partition("@")[2]))


def _checked(what: str, value: str) -> str:
    if not _NAME.fullmatch(value) or len(value) > LONGEST_NAME:
        raise ScaffoldError(
            f"{what} must be lower-case letters, digits and single hyphens, begin with a letter "
            f"and have at most {LONGEST_NAME} characters, got {value!r}"
        )
    return value


def _fields(contract: str, name: str, provider: str, author: str) -> dict[str, str]:
    kind = KINDS[contract.partition("@")[0]]
    distribution = f"{provider}-{name}"
    package = distribution.replace("-", "_")
    if keyword.iskeyword(package) or not package.isidentifier():
        raise ScaffoldError(f"{package!r} cannot be a Python package; choose another --provider")
    login, account = forge_account(author)
    plain = {field: getattr(kind, field) for field in ("module", "summary", "paper")}
    return {
        **plain,
        "reference": kind.reference,
        "target": kind.target,
        "fields": "\n".join(f"            {each}," for each in kind.fields),
        "name": name,
        "title": name.replace("-", " ").capitalize(),
        "author": author,
        "login": login,
        "id": str(account),
        "distribution": distribution,
        "package": package,
        "operator": f"{provider}/{name}",
        "contract": contract,
        "family": contract.partition(".")[0],
    }
