"""The machine: its processors, its memory, its devices, and the signal by which its scheduler ends a program."""
