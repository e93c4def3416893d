"""Find and count things in images too large to look at.

from detect import Detector
found = Detector.load("model.safetensors").count("photo.tif")
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detect.assembly.detector import Detector
    from detect.imagery.scenes import Scene
    from detect.labels.detections import Detections

__version__ = "0.1.0"

__all__ = ["Detections", "Detector", "Scene", "__version__"]

_PLACES = {
    "Detector": "detect.assembly.detector",
    "Detections": "detect.labels.detections",
    "Scene": "detect.imagery.scenes",
}
"""Modules of the names that are imported when they are asked for."""


def __getattr__(name: str) -> Any:
    """Return a name of the Python face, whose module is imported now.

    Raises:
        AttributeError: there is no such name.
    """
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    """Return the names of the Python face."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
