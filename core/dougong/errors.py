"""Every error Dougong raises on purpose. Each message names the rule, the value and the way out."""

from __future__ import annotations


class DougongError(Exception):
    """Base of all errors raised by Dougong on purpose; the command line prints it in one line."""


class OperatorError(DougongError):
    """Operator metadata breaks a rule (bad name, unknown contract, malformed target)."""


class CatalogueError(DougongError):
    """An operator or plugin that was asked for by name is missing, broken or ambiguous."""


class ContractError(DougongError):
    """A contract id is malformed or unknown, or a contract was asked for something it lacks."""


class PlanError(DougongError):
    """A plan cannot be made or applied; nothing in the model has changed."""


class LockError(DougongError):
    """`dougong.lock` is missing, malformed, or disagrees with what is installed."""


class HubError(DougongError):
    """The hub could not be reached or refused the request."""


class EvidenceError(DougongError):
    """A text that was offered as a verdict is not one."""


class InstallError(DougongError):
    """Nothing was installed: no release suits, or the bytes are not what was promised."""
