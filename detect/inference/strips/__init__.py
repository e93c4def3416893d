"""Strips: a raster that is too large for one worker, counted by several, or kept as far as it is done."""
