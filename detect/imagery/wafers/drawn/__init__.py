"""Wafers as images: the raster in which a list of defects is drawn, and no pixel of which is kept."""
