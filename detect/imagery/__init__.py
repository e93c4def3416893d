"""Pixels in and out: window geometry, and scenes read and written through rasterio."""

from detect.imagery.files import replace_file
from detect.imagery.listing import list_images
from detect.imagery.preview import Preview
from detect.imagery.rasters import read_preview, read_tags, write_map
from detect.imagery.reading import SceneReader, read_window
from detect.imagery.resolution import Resolution, ground_sample_distance
from detect.imagery.scenes import SUFFIXES, Scene, SceneError, open_scene, original, view
from detect.imagery.windows import Grid, Window, reflect

__all__ = [
    "SUFFIXES",
    "Grid",
    "Preview",
    "Resolution",
    "Scene",
    "SceneError",
    "SceneReader",
    "Window",
    "ground_sample_distance",
    "list_images",
    "open_scene",
    "original",
    "read_preview",
    "read_tags",
    "read_window",
    "reflect",
    "replace_file",
    "view",
    "write_map",
]
