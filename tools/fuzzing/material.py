"""The small models and folders that inputs are made from, made by the product's own commands."""

import csv
import gc
import importlib
import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from .case import Material, predict
from .watched import Bounds, Tell, Watched, watch

PLACES = ((20, 20), (70, 30), (40, 75), (100, 90))
"""x, y of the bright squares in the small images."""

IMPORTED_FIRST = (
    "jinja2",
    "matplotlib.cm",
    "timm",
    "fsspec.implementations.local",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "detect.train",
    "detect.predict",
    "detect.evaluate",
    "detect.preview",
    "detect.report",
    "detect.convert",
    "detect.assembly.heads.choice",
    "detect.assembly.engine.ready_engine",
    "detect.assembly.conversion.converting",
    "detect.assembly.evaluation.evaluating",
    "detect.assembly.training.finishing",
    "detect.assembly.prediction.image_loop",
    "detect.assembly.training.sample_sheet",
    "detect.assembly.training.trainer",
    "detect.inference.run",
    "detect.nets.modelfile",
    "detect.reporting.output.prediction_folder",
    "detect.reporting.page.report_page",
)
"""What the commands import while they run: a child that had to would spend most of its time on it."""

ENOUGH = 300.0
"""Seconds that a command has which is not under test."""

GOOD_SEED = 1
"""Seed of the image that must be counted whatever lies beside it."""

LENET = (
    "net.backbone=lenet5",
    "net.weights=none",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "data.loading.workers=0",
)
"""Settings of every training: one process alone, as what is watched may start no other."""


def warm_up(cache: Path) -> None:
    """Import everything, on one thread, with the caches of libraries in a folder of our own.

    What is there then is left to itself by the garbage collector, in each fork too: its rounds would copy all of it.
    """
    for name, folder in {"XDG_CACHE_HOME": "xdg", "MPLCONFIGDIR": "mpl", "TORCH_HOME": "torch"}.items():
        (cache / folder).mkdir(parents=True, exist_ok=True)
        os.environ[name] = str(cache / folder)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    import torch

    torch.set_num_threads(1)
    for name in IMPORTED_FIRST:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def run_commands(commands: tuple[tuple[str, ...], ...], tell: Tell) -> None:
    """Run commands one after the other in this process and tell their exit codes."""
    from hydra.core.global_hydra import GlobalHydra

    for name, *settings in commands:
        main = importlib.import_module(f"detect.{name}").main
        GlobalHydra.instance().clear()
        sys.argv = [f"detect.{name}", *settings]
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        tell(code=code)


def must(folder: Path, *command: str) -> Watched:
    """Run a command that is not under test in a child.

    Raises:
        RuntimeError: it did not end with 0.
    """
    bounds = Bounds(ENOUGH, 8192, (folder,), (), folder / "scratch")
    done = watch(lambda tell: run_commands((command,), tell), bounds)
    if done.codes != [0]:
        raise RuntimeError(f"{' '.join(command)} ended with {done.codes} {done.wrong}:\n{done.log}")
    return done


def write_image(path: Path, seed: int, shape: tuple[int, int] = (128, 128)) -> None:
    """Write noise with bright squares at `PLACES`, which repeat every 128 pixels."""
    pixels = np.random.default_rng(seed).integers(60, 100, (*shape, 3), dtype=np.uint8)
    for top in range(0, shape[0], 128):
        for left in range(0, shape[1], 128):
            for x, y in PLACES:
                pixels[top + y - 5 : top + y + 5, left + x - 5 : left + x + 5] = 230
    Image.fromarray(pixels[: shape[0], : shape[1]]).save(path)


def write_data(folder: Path) -> None:
    """Write two images, one to train and one to validate, and `points.csv`."""
    (folder / "images").mkdir(parents=True)
    rows = ["image,x,y,label,split"]
    for number, side in enumerate(("train", "val")):
        write_image(folder / f"images/{number}.png", number)
        rows += [f"{number}.png,{x},{y},square,{side}" for x, y in PLACES]
    (folder / "points.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def patch_settings(data: Path) -> tuple[str, ...]:
    """Return the settings of a training of a patch classifier that takes a second."""
    given = (f"data.root={data / 'images'}", f"data.annotations={data / 'points.csv'}", *LENET)
    return (
        *given,
        "net.stride=4",
        "net=patch",
        "net.patch_size=16",
        "net.margin=8",
        "data.sampling.crop=32",
        "data.sampling.samples=32",
        "runtime=torch",
    )


def grid_settings(data: Path) -> tuple[str, ...]:
    """Return the settings of a training of a grid head that takes some seconds."""
    given = (f"data.root={data / 'images'}", f"data.annotations={data / 'points.csv'}", *LENET, "net=grid")
    shape = ("net.stride=2", "net.deepest=4", "net.width=16", "data.sampling.crop=64", "data.sampling.samples=64")
    return (*given, *shape, "runtime=torch")


def make_material(folder: Path) -> Material:
    """Train a model for one epoch, which a resumed run may make two, and predict with it."""
    data = folder / "data"
    write_data(data)
    settings = patch_settings(data)
    training, predictions = folder / "training", folder / "predictions"
    must(folder, "train", *settings, "trainer.max_epochs=1", f"output={training}")
    model = folder / "model.safetensors"
    (training / "model.safetensors").replace(model)
    must(folder, *predict(model, data / "images", predictions))
    alone, counted = folder / "good.png", folder / "good"
    write_image(alone, GOOD_SEED)
    must(folder, *predict(model, alone, counted))
    (row,) = csv.DictReader((counted / "counts.csv").read_text(encoding="utf-8").splitlines())
    found = int(row["total"])
    return Material(data, training, (*settings, "trainer.max_epochs=2", "resume=true"), predictions, model, found)
