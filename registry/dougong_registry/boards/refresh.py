"""What must be made anew when something of an operator changed."""

from __future__ import annotations

from dougong_registry.boards.services import places_refresh
from dougong_registry.search.services import entry_refresh


def refresh(operator_name_id: int) -> None:
    """Make an operator's places on the boards and its search entry anew."""
    places_refresh(operator_name_id=operator_name_id)
    entry_refresh(operator_name_id=operator_name_id)
