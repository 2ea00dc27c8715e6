"""Kernels in Triton for CUDA devices, each beside its plain-PyTorch definition in its family.

Triton is an extra (`pip install dougong-plugins[triton]`), imported when a kernel is first used.
With `TRITON_INTERPRET=1` in the environment before that, the same kernels run on the CPU, in
Triton's interpreter: slowly, for tests.
"""

from __future__ import annotations
