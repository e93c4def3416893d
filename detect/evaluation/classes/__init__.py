"""Classifiers, judged: confusions, curves one class against the rest, calibration, and scores of what is unknown."""
