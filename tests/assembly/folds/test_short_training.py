from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from detect.assembly.folds.short_training import part_of_time, short_settings
from detect.assembly.settings.train_settings import TrainSettings
from detect.assembly.training.learned_scenes import learned_values
from detect.assembly.training.material import TrainingMaterial, material_of_fold
from tests.assembly.runs_of import grid_settings, material_of


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    """Three images of noise of two scenes, the last of them brighter."""
    rows = []
    for i, scene in enumerate(("hill", "hill", "river")):
        noise = np.random.default_rng(i).integers(60 * (i == 2), 100 + 60 * (i == 2), (120, 120, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i}.png")
        rows += [{"image": f"{i}.png", "x": 30 + 20 * k, "y": 60, "label": "a", "scene": scene} for k in range(3)]
    pd.DataFrame(rows).to_csv(tmp_path / "points.csv", index=False)
    return tmp_path


def of(groups: Path, *overrides: str) -> tuple[TrainSettings, TrainingMaterial]:
    settings = grid_settings(groups, "points.csv", "data.group_column=scene", *overrides)
    return settings, material_of(settings)


def test_a_short_training_has_its_share_of_epochs_steps_time_and_counts(groups: Path) -> None:
    """0.34 of 12 epochs are 4, a third: of 301 steps 101, of every sixth epoch every second.

    Of two hours, with two folds, each has (1/3) / (1 + 2/3) = 1/5: 24 minutes.
    """
    limits = ("trainer.max_steps=301", "trainer.max_time=00:02:00:00", "trainer.min_epochs=9", "finetune.score_every=6")
    settings = grid_settings(groups, "points.csv", "trainer.max_epochs=12", *limits)
    short = short_settings(settings, 2)
    trainer = short.trainer
    assert (trainer.max_epochs, trainer.max_steps, trainer.max_time) == (4, 101, "00:00:24:00")
    assert (trainer.min_epochs, short.finetune.score_every) == (None, 2)


@pytest.mark.parametrize(("whole", "epochs"), [(1, 1), (2, 2), (5, 2), (100, 34)])
def test_two_epochs_are_the_fewest_where_there_are_as_many(groups: Path, whole: int, epochs: int) -> None:
    settings = grid_settings(groups, "points.csv", f"trainer.max_epochs={whole}")
    assert short_settings(settings, 3).trainer.max_epochs == epochs


def test_a_part_of_a_time() -> None:
    assert part_of_time("01:02:00:01", 0.5) == "00:13:00:00"
    assert part_of_time("00:00:00:01", 0.1) == "00:00:00:01"
    with pytest.raises(ValueError, match=r"trainer\.max_time must be DD:HH:MM:SS.*got 1h"):
        part_of_time("1h", 0.5)


def test_a_fold_learns_nothing_of_the_scenes_that_it_leaves_out(groups: Path) -> None:
    """Its crops are of the other scenes, and so is the normalisation; how it is judged is that of the whole run."""
    settings, material = of(groups, "data.normalisation=mean_std", "data.sampling.samples=40")
    assert material.scenes is not None and material.folds == ({"0.png", "1.png"}, {"2.png"})
    assert [labelled.name for labelled in material.scenes.split.train] == ["0.png", "1.png", "2.png"]
    fold = material_of_fold(settings, material, material.folds[1])
    assert fold.scenes is not None
    assert [labelled.name for labelled in fold.scenes.split.train] == ["0.png", "1.png"]
    assert [labelled.name for labelled in fold.scenes.split.val] == ["2.png"]
    drawn = fold.samples.epoch(0)
    assert {drawn.scenes[crop.scene].name for crop in drawn.crops} == {"0.png", "1.png"}
    whole, part = (each.values.normalisation([0.0] * 3, [1.0] * 3)[0] for each in (material, fold))
    assert max(part) < 55 < min(whole)
    assert fold.radius == material.radius
    again = learned_values(settings, material.scenes.split, material.scenes.source)
    assert again.normalisation([0.0] * 3, [1.0] * 3) == material.values.normalisation([0.0] * 3, [1.0] * 3)
