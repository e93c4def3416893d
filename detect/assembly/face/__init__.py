"""The Python face: what it takes, and what it gives."""
