from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.labels.annotations import AnnotatedImage
from detect.labels.detections import Detections
from detect.samples.labelled_scenes import LabelledScene

torch.set_num_threads(1)

MakeImage = Callable[..., AnnotatedImage]
MakeScene = Callable[..., LabelledScene]


@pytest.fixture
def image(tmp_path: Path) -> MakeImage:
    """Write an image of noise and say what is in it: objects as (x, y, name) of classes a and b."""

    def make(
        name: str, objects: list[tuple[float, float, str]] = (), *, height: int = 100, width: int = 100, **more: object
    ) -> AnnotatedImage:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(len(name)).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        xy = np.array([place[:2] for place in objects], float).reshape(-1, 2)
        truth = Detections.truth(xy, [place[2] for place in objects], ("a", "b"))
        return AnnotatedImage(name, path, (height, width), truth, more.pop("negatives", np.empty((0, 2))), **more)

    return make


@pytest.fixture
def scene(image: MakeImage) -> MakeScene:
    """As `image`, opened."""

    def make(*args: object, **options: object) -> LabelledScene:
        made = image(*args, **options)
        return LabelledScene(made.name, open_scene(made.path), made.objects, made.negatives)

    return make
