"""Inference: a network over the tiles of a scene, stitched into one map, decoded into detections."""
