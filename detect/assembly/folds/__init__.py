"""Choosing threshold, separation and epoch on scenes that short trainings leave out in turn."""
