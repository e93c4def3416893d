"""What a run takes of the machine: its memory, and its devices."""
