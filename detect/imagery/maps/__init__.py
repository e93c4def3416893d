"""Stitched maps as cloud-optimised GeoTIFFs: how values are stored, writing, reading."""
