"""What many tests need: planted images, and one small model trained on them."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from tests.commands import Called, call
from tests.kept import made_once

SIDE = 320

settings.register_profile("no times", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no times")


def pytest_collection_finish() -> None:
    """Take what was imported out of the garbage collector's rounds: libraries stay, and each round looks at all."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Give it back before the end, at which libraries look for what was left."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def kept() -> Iterator[None]:
    """Let hydra compose `conf/`, and jinja compile our templates, once."""
    with made_once():
        yield


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the user's folder of converted networks out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def plant(path: Path, places: list[tuple[int, int]], seed: int, side: int = SIDE) -> None:
    """Write an image of dim noise with a bright disc of 12 pixels radius at each (x, y)."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(90, 12, (side, side, 3))
    y, x = np.mgrid[:side, :side] + 0.5
    for at_x, at_y in places:
        pixels[(x - at_x) ** 2 + (y - at_y) ** 2 < 144] = (210, 180, 60)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)


def scatter(seed: int, number: int, side: int = SIDE) -> list[tuple[int, int]]:
    """Draw places at least 48 pixels apart and 24 from the edge."""
    rng = np.random.default_rng(seed)
    places: list[tuple[int, int]] = []
    while len(places) < number:
        x, y = (int(v) for v in rng.integers(24, side - 24, 2))
        if all((x - a) ** 2 + (y - b) ** 2 >= 48**2 for a, b in places):
            places.append((x, y))
    return places


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of four images with 40 discs: `images/*.png` and `points.csv`, the last image for the test."""
    root = tmp_path_factory.mktemp("planted")
    rows = []
    for i in range(4):
        places = scatter(i, 10)
        plant(root / "images" / f"{i}.png", places, i)
        split = ("train", "train", "val", "test")[i]
        rows += [{"image": f"{i}.png", "x": x, "y": y, "label": "disc", "split": split} for x, y in places]
    pd.DataFrame(rows).to_csv(root / "points.csv", index=False)
    return root


SMALL = (
    "seed=1",  # finds all discs whatever the processor's arithmetic; with seed 0 the count depends on it
    "trainer.max_epochs=2",
    "data.sampling.samples=96",
    "data.sampling.crop=64",
    "data.loading.batch_size=8",
    "net=patch",
    "net.patch_size=32",
    "net.margin=16",
)


@pytest.fixture(scope="session")
def trained(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of `detect.train` on the planted discs."""
    output = tmp_path_factory.mktemp("trained") / "run"
    done = call(
        "train", f"data.root={planted}", f"data.annotations={planted / 'points.csv'}", f"output={output}", *SMALL
    )
    assert done.code == 0, done.log
    return output


@pytest.fixture
def run() -> Callable[..., Called]:
    """Call a command: `run("predict", "model=...", ...)`."""
    return call
