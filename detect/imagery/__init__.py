"""Imagery: pixels in and out, window geometry, scenes read and maps written; the only room that knows rasterio."""
