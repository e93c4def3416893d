"""Inference: a network over the tiles of a scene, stitched into one map, decoded into detections."""

from detect.inference.batch import Engine, SceneResult, Sink, count_scene, predict_images
from detect.inference.decoder import Decoder, decoder_of, suppression_of
from detect.inference.decoding import decode_patches, find_peaks, foreground
from detect.inference.feeding import Failure
from detect.inference.grid_map import decode_grid
from detect.inference.plan import Plan, layer_bytes, make_plan
from detect.inference.runtime import OpenVinoRuntime, TorchRuntime, compile_cache, pick_device
from detect.inference.stitching import Runtime, Stitcher, map_scene, tile_grid
from detect.inference.views import Views, check_views

__all__ = [
    "Decoder",
    "Engine",
    "Failure",
    "OpenVinoRuntime",
    "Plan",
    "Runtime",
    "SceneResult",
    "Sink",
    "Stitcher",
    "TorchRuntime",
    "Views",
    "check_views",
    "compile_cache",
    "count_scene",
    "decode_grid",
    "decode_patches",
    "decoder_of",
    "find_peaks",
    "foreground",
    "layer_bytes",
    "make_plan",
    "map_scene",
    "pick_device",
    "predict_images",
    "suppression_of",
    "tile_grid",
]
