"""One file with everything of this hub, secrets too, and the way back from it."""
