"""Evaluation: objects matched once, then every score, and the choice of a threshold, from the matches."""
