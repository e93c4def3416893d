"""Which images train, validate and test, in a run and in a model's own record."""

from pathlib import Path

import pytest

from detect.assembly.given_labels import read_labels
from detect.assembly.settings.label_settings import NamedSides
from detect.assembly.sides import LEFT_OUT, sides_of_model
from detect.labels.annotations import Annotations
from tests.assembly.runs_of import grid_settings


def annotated(data: Path) -> Annotations:
    labels = read_labels(grid_settings(data, "boxes.csv").data)
    assert isinstance(labels, Annotations)
    return labels


def test_a_photograph_that_was_cut_into_strips_is_known_as_learned_from(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The record of a run with `data.split.val_from=parts` names strips; the warning is of the photograph."""
    annotations = annotated(data)
    name = annotations.images[0].name
    record = {"train": [f"{name} [rows 0-40, columns 0-120]"], "val": [f"{name} [rows 60-80, columns 0-120]"]}
    with caplog.at_level("WARNING"):
        assert sides_of_model(NamedSides((), (name,), None), annotations, record)[name] == "test"
    assert name in caplog.text and "flatter" in caplog.text


def test_the_record_goes_before_the_split_column_where_nobody_is_named(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record = {"train": ["1.png"], "val": [], "test": ["0.png"]}
    assert sides_of_model(NamedSides((), (), None), annotated(data), record) == {"0.png": "test", "1.png": "val"}
    record = {"train": [], "val": ["0.png"], "left_out": ["1.png"]}
    with caplog.at_level("WARNING"):
        sides = sides_of_model(NamedSides((), (), None), annotated(data), record)
    assert sides == {"0.png": "val", "1.png": LEFT_OUT} and "1.png" in caplog.text


def test_folds_are_for_training(data: Path) -> None:
    with pytest.raises(ValueError, match=r"data\.split\.fold"):
        sides_of_model(NamedSides((), (), "1/2"), annotated(data), {})
