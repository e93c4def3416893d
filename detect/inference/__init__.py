"""Inference: a network over the tiles of a scene, stitched into one map, decoded into detections."""

from detect.inference.batch import Failure, SceneResult, Sink, count_scene, predict_images
from detect.inference.decoding import decode_patches, find_peaks, foreground
from detect.inference.runtime import TorchRuntime, pick_device
from detect.inference.stitching import Stitcher, map_scene, tile_grid

__all__ = [
    "Failure",
    "SceneResult",
    "Sink",
    "Stitcher",
    "TorchRuntime",
    "count_scene",
    "decode_patches",
    "find_peaks",
    "foreground",
    "map_scene",
    "pick_device",
    "predict_images",
    "tile_grid",
]
