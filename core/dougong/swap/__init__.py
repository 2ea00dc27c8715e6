"""Swap operators into a model with one line, and out again.

```python
plan = dougong.plan(model, {"norm.rms": "acme/fused-rms"})
print(plan)
with plan.apply() as swapped:
    print(swapped.report())
    model(...)
```

What a swap touches: the `forward` of module instances (for attention modules of transformers,
their `config`), nothing of a class, no parameter, hook or child. `copy.deepcopy` of a swapped
model gives a swapped copy, bound to itself. `torch.save(model)` keeps the operators by name, so
that loading needs Dougong and the operators' distributions and says so where they are missing; a
`state_dict` is the same with and without a swap and needs neither. `dougong.swap.revert(model)`
takes everything out of such copies.
"""

from __future__ import annotations

from dougong.swap.applying import Applied, Report, revert
from dougong.swap.direct import compile, optimizer, transform
from dougong.swap.planning import Plan, plan

Handle = Applied

__all__ = [
    "Applied",
    "Handle",
    "Plan",
    "Report",
    "compile",
    "optimizer",
    "plan",
    "revert",
    "transform",
]
