"""Adapter for attention modules of transformers, through its own attention interface.

A swapped module gets its own copy of the model's config, in which the attention implementation is
`dougong`; transformers then calls `dougong_attention` from that module and from no other. The
model's config is not touched, so the model goes on making the masks of its own implementation
(`sdpa` or `eager`), padding, packing, windows and cache offsets included: no mask is lost, and one
layer can be swapped without its neighbours. What the mask means is read exactly as transformers'
`sdpa` reads it:

- a boolean mask (B, 1, T, S): True may be attended;
- an additive mask (`eager`): added to the scores;
- none: under `sdpa`, full causal attention where the module is causal and T > 1, aligned to the
  first key (a static cache has more keys than were written); under `eager`, nothing is masked.

What the contract has no word for is refused when planned where the code shows it, and raises when
it arrives at a call: dropout, score capping, attention sinks, position biases, paged caches,
returned attention weights.

Shape suffixes: B = batch, H = heads, K = key-value heads, T = queries, S = keys, D = per head.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from dougong.contracts.definition import Case
from dougong.errors import PlanError
from dougong.swap.adapters.fit import Fit, Probe, device_of, normal, rejected

IMPLEMENTATION = "dougong"
"""Key in transformers' attention and mask interfaces."""

CONTRACTS = ("attention.exact@1", "attention.approx@1")
_REFUSED = frozenset({"softcap", "s_aux", "sinks", "position_bias", "head_mask", "cache"})
"""Arguments that change the result and that no attention contract has."""
_ASKED_AT_CALL = ("mask:boolean", "mask:additive", "q_len!=k_len")
_DROPOUTS = ("attention_dropout", "dropout", "attn_dropout", "dropout_prob", "dropout_p")
_SIZES = (8, 11)
"""Queries and keys of the inputs that a quick check draws."""


def fit(module: nn.Module) -> Fit | None:
    """Return how an attention module meets the contracts; None where it has no such interface."""
    kind = type(module)
    if kind not in _kinds:
        _kinds[kind] = _read_class(kind)
    problem = _kinds[kind]
    if problem is None:
        return None
    problem = problem or _instance_problem(module)
    if problem:
        return rejected(CONTRACTS[0], problem)
    config: Any = module.config
    causal = bool(getattr(module, "is_causal", True))
    features = ["mask:additive"] if _original(config) == "eager" else []
    features += [] if features and causal else ["mask:causal" if causal else "mask:none"]
    if getattr(module, "num_key_value_groups", 1) > 1:
        features.append("gqa")
    return Fit(
        contracts=CONTRACTS,
        features=tuple(features),
        static={"is_causal": causal, "groups": getattr(module, "num_key_value_groups", 1)},
        probe=Probe(cases=_cases),
        note="returns no attention weights",
    )


def training_problem(module: nn.Module) -> str:
    """Say why a module cannot be trained with an operator, or return an empty string."""
    for name in _DROPOUTS:
        value = getattr(module, name, None)
        rate = value.p if isinstance(value, nn.Dropout) else value
        if isinstance(rate, float) and rate > 0:
            return f"{name} is {rate} and operators have no dropout; set it to 0 to train"
    return ""


def own_config(config: Any) -> Any:
    """Return a copy of a model's config that sends one attention module to its operator."""
    import copy

    register()
    mine = copy.copy(config)
    # The public setter would change the shared sub-configs too.
    mine._attn_implementation_internal = IMPLEMENTATION
    return mine


def register() -> None:
    """Make `dougong` known to transformers' attention and mask interfaces.

    It serves only modules that a plan was applied to; registering alone changes no model.
    """
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(IMPLEMENTATION, dougong_attention)
    AttentionMaskInterface.register(IMPLEMENTATION, boolean_mask)


def boolean_mask(**arguments: Any) -> Tensor | None:
    """Make a real boolean mask for a module that asks for one with its own config.

    The mask is never left out for being causal, so that its meaning does not rest on a flag.
    """
    from transformers.masking_utils import sdpa_mask

    mask: Tensor | None = sdpa_mask(**{**arguments, "allow_is_causal_skip": False})
    return mask


def dougong_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """Call the operator of a swapped module as transformers calls its attention functions.

    Args:
        module: The attention module; carries its operator.
        query: (B, H, T, D).
        key: (B, K, S, D), K divides H.
        value: Like `key`.
        attention_mask: See the module docstring.
        dropout: Must be 0.
        scaling: Of the scores; None for 1 / sqrt(D).
        is_causal: Overrides the module's own.
        **rest: Arguments that sdpa ignores too; those that would change the result must be None.

    Returns:
        (B, T, H, D), and None in place of the attention weights.

    Raises:
        PlanError: the call asks for something the contract does not have.
    """
    binding = _binding(module)
    slot = binding.active
    if dropout:
        raise PlanError(f"{slot.operator} has no dropout, got dropout={dropout}: set it to 0")
    for name in rest:
        if name in _REFUSED and rest[name] is not None:
            raise PlanError(f"{slot.operator} cannot take {name}: revert the swap of this module")
    if rest.get("output_attentions"):
        raise PlanError(f"{slot.operator} returns no attention weights: revert the swap first")
    causal = False
    if attention_mask is None:
        causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
        queries = query.shape[2]
        causal = queries > 1 and causal and masks_by_flag(binding.config)
        if causal and key.shape[2] > queries:
            key, value = key[:, :, :queries], value[:, :, :queries]
    elif attention_mask.ndim != 4:
        raise PlanError(
            f"{slot.operator} needs a mask of 4 dimensions, got {attention_mask.ndim}: the model's "
            "attention implementation was changed after apply; set it back to sdpa or eager"
        )
    out = slot.call(query, key, value, mask=attention_mask, is_causal=causal, scale=scaling)
    return out.transpose(1, 2).contiguous(), None


def asking_first(operator: Callable[..., Any], name: str, features: tuple[str, ...]) -> Any:
    """Return the operator, checking at each call those features that only a call can ask for.

    An operator that has all of them is returned as it is.
    """
    if not features or set(_ASKED_AT_CALL) <= set(features):
        return operator

    def asked(q_BHTD: Tensor, k_BKSD: Tensor, v_BKSD: Tensor, **rest: Any) -> Any:
        mask = rest.get("mask")
        if mask is not None:
            needed = "mask:boolean" if mask.dtype == torch.bool else "mask:additive"
            if needed not in features:
                raise PlanError(f"{name} does not declare {needed}: pass no padding, or revert")
        if q_BHTD.shape[2] != k_BKSD.shape[2] and "q_len!=k_len" not in features:
            raise PlanError(f"{name} does not declare q_len!=k_len: generate without a cache")
        return operator(q_BHTD, k_BKSD, v_BKSD, **rest)

    return asked


def masks_by_flag(config: Any) -> bool:
    """Whether a model leaves a mask out to mean causal, as it does under every name but eager."""
    # Asked at every call: transformers' own attribute access takes a microsecond of it.
    name: str = object.__getattribute__(config, "_attn_implementation_internal")
    return name != "eager"


def _original(config: Any) -> str:
    return str(config._attn_implementation)


def _binding(module: nn.Module) -> Any:
    binding = module.__dict__.get("_dougong")
    if binding is None or binding.active is None:
        raise PlanError(
            f"attention implementation {IMPLEMENTATION!r} serves modules swapped by dougong.plan; "
            f"this {type(module).__name__} is not one: set its implementation back"
        )
    return binding


_kinds: dict[type[nn.Module], str | None] = {}
"""For each class: None = not an attention module with the interface, else its problem or ''."""


def _read_class(kind: type[nn.Module]) -> str | None:
    """Read from the compiled forward whether it goes through the interface, and how."""
    code = getattr(inspect.unwrap(kind.forward), "__code__", None)
    if code is None or "get_interface" not in code.co_names:
        return None
    if "_attn_implementation" not in code.co_names or "transformers" not in sys.modules:
        return f"{kind.__name__} chooses its attention function in a way that is not known"
    for name in _REFUSED:
        if name in set(_strings(code.co_consts)):
            return f"{kind.__name__} passes {name} to its attention function, no contract has it"
    return ""


def _strings(constants: tuple[Any, ...]) -> Iterator[str]:
    for constant in constants:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, tuple):
            yield from _strings(constant)


def _instance_problem(module: nn.Module) -> str:
    config = module.__dict__.get("config")
    if config is None or not hasattr(config, "_attn_implementation"):
        return f"{type(module).__name__} has no config of its own that names its implementation"
    binding = module.__dict__.get("_dougong")
    config = binding.config if binding is not None else config
    if _original(config) not in ("sdpa", "eager"):
        return (
            f"the model's masks are made for {_original(config)!r}, which operators cannot read; "
            "call model.set_attn_implementation('sdpa') first"
        )
    if getattr(module, "v_head_dim", None) not in (None, getattr(module, "qk_head_dim", None)):
        return "heads of queries and values differ in size, the contracts want them equal"
    return ""


def _cases(module: Any, dtype: torch.dtype) -> tuple[Case, ...]:
    """Cover each way in which the module can be called: a square, a decode step, a padded batch."""
    heads = 2 * getattr(module, "num_key_value_groups", 1)
    size = int(getattr(module, "head_dim", 0) or getattr(module, "attention_head_size", 16))
    device, (queries, keys) = device_of(module), _SIZES
    scale = getattr(module, "scaling", None)
    causal = bool(getattr(module, "is_causal", True))
    allowed = torch.ones(2, 1, queries, keys, dtype=torch.bool, device=device)
    if causal:
        allowed = allowed.tril(keys - queries)
    allowed[1, :, :, : keys // 3] = False
    drawn = [normal((2, heads, queries, size), dtype, device, 1)]
    drawn += [normal((2, 2, keys, size), dtype, device, seed) for seed in (2, 3)]
    differentiable = ("q", "k", "v")

    def case(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, flag: bool) -> Case:
        return Case(
            tensors={"q": q, "k": k, "v": v, "mask": mask},
            static={"is_causal": flag, "scale": scale},
            differentiable=differentiable,
        )

    q, k, v = drawn
    square = case(q, k[:, :, :queries], v[:, :, :queries], None, causal)
    return square, case(q[:, :, -1:], k, v, None, False), case(q, k, v, allowed, False)
