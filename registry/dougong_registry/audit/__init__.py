"""Who did what, in a chain of hashes that shows a later change."""
