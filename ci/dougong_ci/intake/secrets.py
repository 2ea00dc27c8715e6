"""Keys that somebody committed by mistake: shapes that their issuers publish, nothing guessed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dougong_ci.intake.findings import Finding, scan

SHAPES = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})"),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "a PyPI token": re.compile(r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a Google API key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"),
    "a Slack token": re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    "an npm token": re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    "a Stripe key": re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}"),
    "an Anthropic key": re.compile(r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    "an OpenAI key": re.compile(r"\bsk-(?:proj-|svcacct-)[A-Za-z0-9_-]{20,}"),
    "a Dougong token": re.compile(r"\bdgp_[A-Za-z0-9_-]{40,}"),
}


def check_secrets(path: str, text: str) -> Iterator[Finding]:
    """Yield each line that holds something with the shape of a key; the key is not repeated."""
    for number, line in enumerate(text.split("\n"), start=1):
        for what, shape in SHAPES.items():
            if shape.search(line):
                message = (
                    f"this looks like {what}: take it back where it was made, then out of here"
                )
                yield scan("secret", message, path, number)
                break
