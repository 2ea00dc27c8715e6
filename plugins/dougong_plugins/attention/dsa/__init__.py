"""Dynamic sparse attention: a gate ranks the keys of each query, and only the best are attended to.

Three parts, each of which can be exchanged:

- an indexer (`indexers`, `lightning`) gives every pair of query and key a score, cheaply;
- a selector (`selectors`) keeps the best keys within a budget: a number, a share, or a mass;
- a kernel (`kernels`) attends to what was kept and to nothing else.

`operator` puts them together behind the contract of attention; `attaching` puts them into a model
of transformers and takes them out again; `distilling` trains the learned indexer.

In a causal language model of transformers:

    from dougong_plugins.transform.dsa_calibrate import dsa_calibrate

    sparse = dsa_calibrate(model, calibration=windows, save_to="indexers.safetensors")
    sparse.dsa.count()
    sparse(ids)
    print(sparse.dsa.report())  # score operations kept, and the attention that they hold
    sparse.dsa.revert()  # the dense model again, to the bit

Papers: DeepSeek-AI, "DeepSeek-V3.2-Exp: Boosting Long-Context Efficiency with DeepSeek Sparse
Attention", 2025 (lightning indexer, top-k tokens); Gao et al., "SeerAttention", 2024,
arXiv:2410.13276 (a gate distilled against the model's own attention); Tang et al., "Quest", 2024,
arXiv:2406.10774; Lu et al., "MoBA", 2025, arXiv:2502.13189; Yuan et al., "Native Sparse Attention",
2025, arXiv:2502.11089.
"""
