"""Decoding: what a stitched map means, one file a head."""
