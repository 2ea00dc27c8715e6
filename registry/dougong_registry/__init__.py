"""The hub of Dougong: a Django site that never imports torch."""
