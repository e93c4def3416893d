"""Surveys of a run: windows drawn, totals estimated, windows ranked for labelling."""
