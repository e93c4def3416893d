"""The models, images and commands of the runs that are killed."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from fuzzing.material import grid_settings, must, patch_settings, write_data, write_image

EXPECTED, STOPPED = 3, 130
"""The exit codes of a run over the images: all done but for the one cut short; ended in order by SIGTERM."""

SCENARIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "patch": ("patch", ("max_memory=2GiB", "tile=256")),
    "grid": ("grid", ("max_memory=2GiB", "tile=256")),
    "patch-d4": ("patch", ("max_memory=2GiB", "tile=256", "tta=d4")),
    "grid-d4": ("grid", ("max_memory=2GiB", "tile=256", "tta=d4")),
    "grid-devices": ("grid", ("max_memory=2GiB", "tile=256", "runtime.device=cpu", "runtime.devices=2")),
    "patch-file": ("patch", ("max_memory={memory}",)),
    "grid-file": ("grid", ("max_memory={memory}", "tta=flips")),
}
"""Name of each scenario: the head, and settings."""

MEMORY = "6MiB"
"""A bound at which the map of the raster lies in a file: more than a 32nd of it."""

THRESHOLD = "threshold=0.1"
"""At which models of some seconds of training find objects; those of the patch classifier have scores near 0.25."""

NOTHING = "the undisturbed run found no object, so that its tables say nothing: lower THRESHOLD, or train for longer"
"""What is wrong with a run that others would be compared with."""

RASTER = (768, 640)
"""Height and width of the image of many tiles."""


def write_images(folder: Path) -> None:
    """Write small images that share a batch, a raster of many tiles, and a photograph cut short."""
    (folder / "deep").mkdir(parents=True)
    for number in range(4):
        write_image(folder / f"{number}.png", number, (128, 96 + 32 * number))
    write_image(folder / "deep/raster.tif", 9, RASTER)
    write_image(folder / "whole.jpg", 5, (200, 200))
    data = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").unlink()
    (folder / "cut.jpg").write_bytes(data[: len(data) // 2])


@dataclass(frozen=True)
class Workshop:
    """Models, images and settings for the runs.

    Attributes:
        folder: where they lie.
        rng: draws the moments.
    """

    folder: Path
    rng: Random

    @property
    def data(self) -> Path:
        """The labelled images."""
        return self.folder / "data"

    @property
    def images(self) -> Path:
        """The images that are predicted."""
        return self.folder / "images"

    def settings(self, head: str) -> tuple[str, ...]:
        """Return the settings of a training."""
        made = patch_settings(self.data) if head == "patch" else grid_settings(self.data)
        return (*made, f"trainer.max_epochs={2 if head == 'patch' else 12}")

    def prepare(self, heads: set[str]) -> None:
        """Write the images and train the models."""
        write_data(self.data)
        write_images(self.images)
        for head in sorted(heads):
            must(self.folder, "train", *self.settings(head), f"output={self.folder / head}")

    def predict(self, name: str, out: Path) -> tuple[str, ...]:
        """Return the command of a scenario."""
        head, more = SCENARIOS[name]
        given = (f"model={self.folder / head}/model.safetensors", f"images={self.images}", f"output={out}")
        return ("predict", *given, "runtime=torch", THRESHOLD, *(each.format(memory=MEMORY) for each in more))


def objects_of(predictions: Path) -> int:
    """Return how many objects a prediction found: of none, tables that are the same say nothing."""
    return (predictions / "detections.csv").read_bytes().count(b"\n") - 1
