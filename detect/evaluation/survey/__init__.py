"""Surveys: windows drawn by chance with the detector as the guide, and totals estimated from what a person saw."""
