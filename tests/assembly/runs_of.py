"""Settings and material of small training runs."""

from pathlib import Path

from detect.assembly.given_labels import read_labels
from detect.assembly.settings.train_settings import TrainSettings
from detect.assembly.training.material import TrainingMaterial, training_material
from tests.typed import settings_of

NO_WEIGHTS = ("net.backbone=test_resnet", "net.weights=none")


def grid_settings(data: Path, table: str, *overrides: str) -> TrainSettings:
    """A small grid head."""
    small = (*NO_WEIGHTS, "net.deepest=16", "net.width=16", "data.sampling.crop=64")
    return settings_of("train", f"data.root={data}", f"data.annotations={data / table}", "net=grid", *small, *overrides)


def patch_settings(data: Path, table: str, *overrides: str) -> TrainSettings:
    """A small patch classifier."""
    return settings_of(
        "train", f"data.root={data}", f"data.annotations={data / table}", "net=patch", *NO_WEIGHTS, *overrides
    )


def material_of(settings: TrainSettings) -> TrainingMaterial:
    """What a run of these settings learns from."""
    return training_material(settings, read_labels(settings.data))
