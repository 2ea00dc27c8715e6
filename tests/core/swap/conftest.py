"""A plugin of the tests, and small randomly initialised models of transformers."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dougong.catalogue import Catalogue

VOCABULARY = 97
_FILE = Path(__file__).with_name("swap_operators.py")


def _operators() -> Any:
    # A plain import path, because operators name their targets by it and pickles by theirs.
    if "swap_operators" not in sys.modules:
        spec = importlib.util.spec_from_file_location("swap_operators", _FILE)
        module = importlib.util.module_from_spec(spec)
        sys.modules["swap_operators"] = module
        spec.loader.exec_module(module)
    return sys.modules["swap_operators"]


@pytest.fixture
def operators() -> Any:
    """The plugin module of the tests, with an empty list of calls."""
    module = _operators()
    module.CALLS.clear()
    return module


@pytest.fixture
def catalogue(operators: Any) -> Catalogue:
    """Only the operators of the tests."""
    found = Catalogue.load([operators])
    assert found.broken == ()
    return found


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No verdict that this machine may hold enters a test."""
    monkeypatch.setenv("DOUGONG_HOME", str(tmp_path / "home"))


_SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "pad_token_id": 0,
}


def build(name: str, **changes: Any) -> torch.nn.Module:
    """Build a tiny model of a family, always with the same weights, in eval mode."""
    import transformers

    decoder = {
        **_SIZES,
        "intermediate_size": 96,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "eos_token_id": None,
        "bos_token_id": None,
    }
    encoder = {**_SIZES, "intermediate_size": 96, "max_position_embeddings": 66}
    families = {
        "llama": ("LlamaConfig", "LlamaForCausalLM", decoder),
        "mistral": ("MistralConfig", "MistralForCausalLM", {**decoder, "sliding_window": 5}),
        "qwen2": ("Qwen2Config", "Qwen2ForCausalLM", decoder),
        "qwen3": ("Qwen3Config", "Qwen3ForCausalLM", {**decoder, "head_dim": 16}),
        "gemma": ("GemmaConfig", "GemmaForCausalLM", {**decoder, "head_dim": 16}),
        "gpt2": (
            "GPT2Config",
            "GPT2LMHeadModel",
            {
                "vocab_size": VOCABULARY,
                "n_embd": 64,
                "n_layer": 2,
                "n_head": 4,
                "n_positions": 64,
                "pad_token_id": 0,
                "eos_token_id": None,
                "bos_token_id": None,
                "attn_pdrop": 0.0,
            },
        ),
        "bert": ("BertConfig", "BertForMaskedLM", encoder),
        "roberta": ("RobertaConfig", "RobertaForMaskedLM", {**encoder, "pad_token_id": 1}),
        "distilbert": (
            "DistilBertConfig",
            "DistilBertForMaskedLM",
            {
                "vocab_size": VOCABULARY,
                "dim": 64,
                "hidden_dim": 96,
                "n_layers": 2,
                "n_heads": 4,
                "max_position_embeddings": 64,
            },
        ),
    }
    config_name, model_name, sizes = families[name]
    config = getattr(transformers, config_name)(**{**sizes, **changes})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = getattr(transformers, model_name)(config)
        # Norms start as ones and zeros, which would hide a swap that forgets the weights.
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


@pytest.fixture(scope="session")
def tiny() -> Callable[..., torch.nn.Module]:
    """The builder of tiny models."""
    return build


@pytest.fixture
def ids() -> torch.Tensor:
    """Two rows of nine tokens, none of them padding."""
    source = torch.Generator().manual_seed(1)
    return torch.randint(2, VOCABULARY, (2, 9), generator=source)
