"""From arguments to an exit status: find the command, import that one, run it through typer."""

from __future__ import annotations

import os
import sys

from dougong.cli.commands import EXTRAS, external, own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

BAD_INPUT = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run `dougong` and return its exit status: 0 done, 1 a check failed, 2 bad input."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    first = arguments[0] if arguments else "--help"
    if "_DOUGONG_COMPLETE" in os.environ or first in ("--install-completion", "--show-completion"):
        return _complete(arguments)
    if first in ("--help", "-h", "help"):
        from dougong.cli.overview import overview

        print(overview())
        return 0
    if first == "--version":
        from dougong import __version__

        print(__version__)
        return 0
    target = own().get(first) or external().get(first)
    if target is None:
        return fail(_unknown(first))
    try:
        function = _load(target)
    # A command of another distribution may fail to import in any way at all.
    except Exception as error:
        return fail(f"command {first!r} cannot be loaded: {_reason(first, error)}")
    return _run(function, first, arguments[1:])


def fail(message: str) -> int:
    """Print one line on stderr and return the exit status of bad input."""
    print("dougong: " + " ".join(message.split()), file=sys.stderr)
    return BAD_INPUT


def _load(target: str) -> Callable[..., Any]:
    from importlib import import_module

    module, _, attribute = target.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), attribute)
    return function


def _run(function: Callable[..., Any], name: str, arguments: list[str]) -> int:
    import typer

    from dougong.errors import DougongError

    # Typer carried click in itself at some version; both have these two above BadParameter.
    usage_error: Any = typer.BadParameter.__mro__[1]
    click_exception: Any = typer.BadParameter.__mro__[2]
    app = typer.Typer(add_completion=False)
    _register(app, function, name)
    command = typer.main.get_command(app)
    try:
        result = command.main(arguments, prog_name=f"dougong {name}", standalone_mode=False)
    except DougongError as error:
        return fail(str(error))
    except click_exception as error:
        hint = f" (see: dougong {name} --help)" if isinstance(error, usage_error) else ""
        return fail(error.format_message() + hint)
    except (typer.Abort, KeyboardInterrupt):
        print("dougong: interrupted", file=sys.stderr)
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _register(app: Any, function: Callable[..., Any], name: str) -> None:
    settings = {"help_option_names": ["-h", "--help"]}
    app.command(name=name, context_settings=settings)(function)


def _unknown(name: str) -> str:
    import difflib

    known = [*own(), *external()]
    if close := difflib.get_close_matches(name, known, n=2, cutoff=0.5):
        return f"there is no command {name!r}; did you mean {' or '.join(close)}?"
    if name in EXTRAS:
        return f"command {name!r} is not installed; pip install 'dougong[{EXTRAS[name]}]'"
    return f"there is no command {name!r}; dougong --help lists them"


def _reason(name: str, error: Exception) -> str:
    reason = f"{type(error).__name__}: {error}"
    if isinstance(error, ImportError) and name in EXTRAS:
        reason += f"; pip install 'dougong[{EXTRAS[name]}]'"
    return reason


def _complete(arguments: list[str]) -> int:
    """Build the whole program as one typer application, which shell completion wants to see."""
    import typer

    app = typer.Typer(name="dougong")
    for name, target in {**external(), **own()}.items():
        try:
            _register(app, _load(target), name)
        # What cannot be imported cannot be completed; running it says why.
        except Exception:  # noqa: S112 - see above
            continue
    typer.main.get_command(app).main(arguments, prog_name="dougong")
    return 0
