"""What many tests need, made once: planted images, and one small model trained on them.

`make test` shares the files out among worker processes (pytest-xdist), one a core; `python -m pytest tests/...` runs in
one process, without it. So that both give the same:

- A file's tests run in one worker, in their order: a fixture of `scope="module"` is made once. Tests of several files
  that must not run at once, or share one server, say `pytestmark = pytest.mark.xdist_group("name")`.
- What is costly and serves several files is made with `once`, by the worker that asks first: a folder that the others
  read. Nobody writes into it.
- Nothing is at a fixed path, port or name that another worker could take: `tmp_path`, and port 0.
- No test asserts how long something took, nor counts this machine's processes; each worker has one thread for sums.
- A file that takes long stands in `tests/heavy.py`, so that it does not begin last.
"""

import gc
import os
import shutil

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are there: they look once
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections.abc import Callable, Iterator
from multiprocessing import context, forkserver, get_context, set_forkserver_preload
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from PIL import Image

from tests.commands import Called, call
from tests.heavy import heavy_first
from tests.kept import made_once
from tests.object_store import empty_store, s3_server

SIDE = 320

settings.register_profile("no times", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no times")


def pytest_configure(config: pytest.Config) -> None:
    """Have the summary say what was skipped, and why: without a browser nothing looks at the review page."""
    if not {"s", "a", "A", "N"} & set(config.option.reportchars):
        config.option.reportchars += "s"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a file's tests together, and those of a marked group."""
    from xdist.scheduler import LoadGroupScheduling

    class ByFile(LoadGroupScheduling):
        def _split_scope(self, nodeid: str) -> str:
            scope = super()._split_scope(nodeid)
            return nodeid.partition("::")[0] if scope == nodeid else str(scope)

    return ByFile(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, if several workers share the files out; one has all that fork off one server."""
    if not hasattr(config, "workerinput"):
        return
    items.sort(key=lambda item: heavy_first(item.path))
    forking = {item.path for item in items if "fork_server" in getattr(item, "fixturenames", ())}
    for item in items:
        if item.path in forking:
            item.add_marker(pytest.mark.xdist_group("forked"))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Iterator[Any]:
    """Write names that are no text in what a worker sends of a test, as in its captured log, with backslashes."""
    return sendable((yield))


def sendable(value: Any) -> Any:
    """Return a value of texts, lists and mappings whose texts are UTF-8."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {sendable(key): sendable(each) for key, each in value.items()}
        case list():
            return [sendable(each) for each in value]
        case tuple():
            return tuple(sendable(each) for each in value)
    return value


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


Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Once:
    """Make a folder once for all workers: `once("name", make)` calls `make(folder)` for the first that asks."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if hasattr(request.config, "workerinput") else base) / "once"
    root.mkdir(exist_ok=True)

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = root / name, root / f"{name}.done"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


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
def planted(once: Once) -> Path:
    """A data set of four images with 40 discs: `images/*.png` and `points.csv`, the last image for the test."""
    return once("planted", write_planted)


def write_planted(root: Path) -> None:
    """Write what `planted` says."""
    rows = []
    for i in range(4):
        places = scatter(i, 10)
        plant(root / "images" / f"{i}.png", places, i)
        split = ("train", "train", "val", "test")[i]
        rows += [{"image": f"{i}.png", "x": x, "y": y, "label": "disc", "split": split} for x, y in places]
    pd.DataFrame(rows).to_csv(root / "points.csv", index=False)


@pytest.fixture(scope="session")
def store_server() -> Iterator[str]:
    """The address of a server of S3, for all files of tests that one worker runs."""
    with s3_server() as address:
        yield address


@pytest.fixture(scope="module")
def store(store_server: str) -> Iterator[Any]:
    """A client of an object store with an empty bucket `survey`; a file of tests has its own, in its environment."""
    with empty_store(store_server) as client:
        client.create_bucket(Bucket="survey")
        yield client


@pytest.fixture(scope="session")
def fork_server() -> None:
    """Start Python's server of forks with what counting imports, one for all files that one worker runs."""
    set_forkserver_preload(["tests.preloaded"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        forkserver.ensure_running()


@pytest.fixture
def forked(fork_server: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have processes that are to be spawned forked by a server: all that they know comes by pickle, but for imports.

    A start of Python with torch takes ten times as long as what the tests have such a process do.
    """
    monkeypatch.setitem(context._concrete_contexts, "spawn", get_context("forkserver"))  # type: ignore[attr-defined]


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
def trained(planted: Path, once: Once) -> Path:
    """The output folder of `detect.train` on the planted discs."""

    def train(folder: Path) -> None:
        data = (f"data.root={planted}", f"data.annotations={planted / 'points.csv'}")
        done = call("train", *data, f"output={folder / 'run'}", *SMALL)
        assert done.code == 0, done.log

    return once("trained", train) / "run"


@pytest.fixture
def run() -> Callable[..., Called]:
    """Call a command: `run("predict", "model=...", ...)`."""
    return call
