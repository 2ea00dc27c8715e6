"""Which release `dougong install` gets: decided by what was measured, with the reasons."""
