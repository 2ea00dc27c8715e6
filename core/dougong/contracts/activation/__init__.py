"""The activation contracts: GELU, SiLU, squared ReLU and SwiGLU."""

from __future__ import annotations
