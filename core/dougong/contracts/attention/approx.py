"""Attention that may leave work out: `attention.approx@1`, called like `attention.exact@1`.

Fidelity is ||out - exact|| / ||exact|| in float64, where exact is softmax attention; at most 0.9 on
every workload. The inputs have structure (`dougong.contracts.attention.structured`), and one law
asks that the output follows the queries: where other queries change the exact output, the change of
the candidate's must point the same way, with a cosine of at least 0.5. Measured over ten seeds of
public and hidden workloads, largest error and smallest cosine:

    linear attention with features elu(x) + 1    0.76    0.88
    best quarter of the blocks                   0.49    0.70
    window of 128 keys                           0.25    0.81
    zeros                                        1.00    0
    mean of all visible values                   1.01    0
    mean of the 15 nearest                       2.04    0
    value at the query's own position            8.63    0

The bound is wide because of linear attention: with its feature map the similarity of two far topics
cannot fall far below that within one. The error itself is in the verdict, and is the axis of the
board, so that an operator of 0.1 stands beside one of 0.7.

Linear attention cannot, and a window may not, find a few keys among many, so that `structure:local`
and `structure:retrieval` are declared fidelities: an operator that lists features is asked for
these structures only if it lists them.

Leaving work out is no licence on what is seen: causality and masks hold to the bit. Order of the
keys may matter (a window, blocks). Gradients are not judged against those of the softmax, which an
approximation does not have.

Shape suffixes as in `dougong.contracts.attention.exact`.
"""

from __future__ import annotations

from dougong.contracts.accuracy import Tolerance
from dougong.contracts.attention import inputs, laws, structured
from dougong.contracts.attention.exact import attention
from dougong.contracts.attention.fidelity import FOLLOWS_QUERIES
from dougong.contracts.definition import Contract
from dougong.contracts.functional import binder

CONTRACT = Contract(
    id="attention.approx@1",
    summary="Scaled dot-product attention, approximate (sparse, linear, windowed)",
    signature=("f(q_BHTD, k_BKSD, v_BKSD, *, mask=None, is_causal=False, scale=None) -> out_BHTD"),
    equivalence="approximate",
    paper="arXiv:1706.03762",
    reference=attention,
    baselines={
        "torch": "dougong.contracts.attention.exact:attention_torch",
        "float32": "dougong.contracts.attention.exact:attention_float32",
    },
    generate=structured.generate,
    workloads=structured.WORKLOADS,
    hidden=structured.hidden,
    bind=binder("q", "k", "v"),
    tolerance=Tolerance(max_relative_l2=0.9),
    gradient="none",
    laws=(FOLLOWS_QUERIES, laws.CAUSALITY, laws.HIDDEN_VALUES, laws.BATCH, laws.GROUPS),
    cost=inputs.cost,
    dtypes=("float64", "float32", "bfloat16", "float16"),
    features=(
        "mask:none",
        "mask:causal",
        "mask:boolean",
        "mask:additive",
        "gqa",
        "q_len!=k_len",
        "structure:local",
        "structure:retrieval",
    ),
)
