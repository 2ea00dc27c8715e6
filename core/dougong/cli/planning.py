"""`dougong plan`: what would be swapped in a model, without a byte of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from dougong.errors import PlanError

if TYPE_CHECKING:
    from torch import nn


def plan(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            help="A factory, package.module:function; or a model of transformers: its type "
            "(llama, bert), a folder, or a name on the Hugging Face Hub.",
        ),
    ],
    select: Annotated[
        list[str],
        typer.Option(
            "--select", "-s", help="SELECTOR=OPERATOR, e.g. norm.rms=acme/fused-rms or norm=auto."
        ),
    ],
    mode: Annotated[str, typer.Option(help="infer or train.")] = "infer",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, ...")] = "float32",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show which operator would take over which module of a model, and why not the others.

    Models of transformers are built without weights, so that a large one costs nothing.
    """
    from dougong.cli.output import print_json

    if mode not in ("infer", "train"):
        raise typer.BadParameter(f"mode must be infer or train, got {mode!r}")
    choices = _choices(select)
    built = _build(model, _dtype(dtype))

    import dougong

    made = dougong.plan(built, choices, cast("Literal['infer', 'train']", mode))
    if json:
        print_json(made.to_dict())
    else:
        print(made)


def _choices(select: list[str]) -> dict[Any, str]:
    choices: dict[Any, str] = {}
    for text in select:
        # A pattern may hold an equals sign, the name of an operator cannot.
        selector, found, operator = text.rpartition("=")
        if not (found and selector and operator):
            raise typer.BadParameter(f"--select must be SELECTOR=OPERATOR, got {text!r}")
        choices[selector] = operator
    return choices


def _dtype(name: str) -> Any:
    import torch

    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise typer.BadParameter(f"dtype must be a torch dtype such as bfloat16, got {name!r}")
    return found


def _build(name: str, dtype: Any) -> nn.Module:
    try:
        built = _from_factory(name, dtype) if ":" in name else _from_transformers(name, dtype)
    except (PlanError, typer.BadParameter):
        raise
    # The factory is the user's own code and a configuration may fail in any way.
    except Exception as error:
        raise PlanError(
            f"model {name!r} cannot be built: {type(error).__name__}: {error}"
        ) from error
    from torch import nn

    if not isinstance(built, nn.Module):
        raise PlanError(f"{name} must give an nn.Module, gave {type(built).__name__}")
    return built


def _from_factory(name: str, dtype: Any) -> Any:
    import sys

    from torch import nn

    from dougong.operator import resolve

    # As `python -m` does: what lies in the working folder can be named.
    if "" not in sys.path:
        sys.path.insert(0, "")
    found = resolve(name)
    built = found if isinstance(found, nn.Module) else found()
    return built.to(dtype) if isinstance(built, nn.Module) else built


def _from_transformers(name: str, dtype: Any) -> Any:
    import logging

    # What transformers and torchao log while they are imported is not about the plan.
    logging.disable(logging.WARNING)
    try:
        from transformers import CONFIG_MAPPING, AutoConfig, AutoModel
    except ImportError as error:
        raise PlanError(
            f"model {name!r} needs transformers; pip install 'dougong[toolchain]'"
        ) from error
    from torch._subclasses.fake_tensor import FakeTensorMode

    config = (
        AutoConfig.for_model(name) if name in CONFIG_MAPPING else AutoConfig.from_pretrained(name)
    )
    # Fake tensors have a shape, a dtype and a device, as the plan needs them, and no memory.
    with FakeTensorMode():
        model = AutoModel.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call] # untyped there
    return model.eval()
