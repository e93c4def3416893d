"""The machine: its processors, its memory, and its devices."""
