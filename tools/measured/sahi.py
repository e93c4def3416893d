"""SAHI with YOLO11n, where they are installed."""

import os
from collections.abc import Callable
from pathlib import Path


def sahi_run(photograph: Path) -> Callable[[], None] | None:
    """Make a function that counts the photograph with SAHI and YOLO11n; None where they are not installed."""
    os.environ.setdefault("YOLO_OFFLINE", "true")
    try:
        from sahi import AutoDetectionModel
        from sahi.predict import get_sliced_prediction
        from ultralytics import YOLO
    except ImportError as error:
        print(f"SAHI is left out ({error}): pip install sahi ultralytics", flush=True)
        return None
    model = AutoDetectionModel.from_pretrained(
        model_type="ultralytics", model=YOLO("yolo11n.yaml"), confidence_threshold=0.25, device="cpu"
    )

    def run() -> None:
        get_sliced_prediction(
            str(photograph),
            model,
            slice_height=640,
            slice_width=640,
            overlap_height_ratio=0.2,
            overlap_width_ratio=0.2,
            verbose=0,
        )

    return run
