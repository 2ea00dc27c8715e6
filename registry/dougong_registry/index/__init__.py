"""The simple index: what plain pip and uv install from."""
