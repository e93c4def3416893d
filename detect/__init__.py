"""Find and count things in images too large to look at."""

__version__ = "0.1.0"
