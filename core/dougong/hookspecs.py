"""The six hooks of Dougong, one a family.

A hook is called once, at discovery, never per operator call. It returns metadata only: nothing it
returns may import torch. A hook that raises, returns something that is not a list of
`dougong.Operator`, or names a contract of another family makes its *plugin* broken: the plugin is
listed with the reason, its operators are not registered, and nothing else is affected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dougong.markers import hookspec

if TYPE_CHECKING:
    from dougong.operator import Operator


@hookspec
def dougong_register_attention() -> list[Operator]:  # type: ignore[empty-body]
    """Return the plugin's attention operators (contracts `attention.*`)."""


@hookspec
def dougong_register_norm() -> list[Operator]:  # type: ignore[empty-body]
    """Return the plugin's normalisation operators (contracts `norm.*`)."""


@hookspec
def dougong_register_activation() -> list[Operator]:  # type: ignore[empty-body]
    """Return the plugin's activation operators (contracts `activation.*`)."""


@hookspec
def dougong_register_optimizer() -> list[Operator]:  # type: ignore[empty-body]
    """Return the plugin's optimizers (contracts `optimizer.*`)."""


@hookspec
def dougong_register_backend() -> list[Operator]:  # type: ignore[empty-body]
    """Return the plugin's execution backends (contracts `backend.*`)."""


@hookspec
def dougong_register_transform() -> list[Operator]:  # type: ignore[empty-body]
    """Return the plugin's model-to-model transforms (contracts `transform.*`)."""
