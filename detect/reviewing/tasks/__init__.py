"""Drawn windows as tasks of a labelling team: pictures and files for its program, and what comes back."""
