"""How lists of defects are drawn is what the model has, or the run that a command is about."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from detect.assembly.commandline.image_opening import opened_as_set
from detect.imagery.wafers.drawn.drawing import Drawing, current_drawing
from detect.nets.modelfile import save_model
from tests.engines import lively

DRAWING = Drawing(512, 2.0, 3, False, 128, "as_given")


def test_a_command_draws_as_its_model_was_trained(tmp_path: Path) -> None:
    net, card = lively()
    save_model(tmp_path / "drawn.safetensors", net, replace(card, drawing=DRAWING))
    save_model(tmp_path / "images.safetensors", net, card)
    with opened_as_set(SimpleNamespace(model=tmp_path / "drawn.safetensors", predictions=None)):
        assert current_drawing() == DRAWING
    with opened_as_set(SimpleNamespace(model=tmp_path / "images.safetensors")):
        assert current_drawing() is None


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ({"wafers": asdict(DRAWING)}, DRAWING),
        ({"wafers": None}, None),
        ({}, None),
        ({"wafers": {"side": -1}}, None),
        ([], None),
    ],
)
def test_a_command_about_a_run_draws_as_the_run_did(tmp_path: Path, model: object, wanted: Drawing | None) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"model": model}))
    with opened_as_set(SimpleNamespace(predictions=tmp_path)):
        assert current_drawing() == wanted
    assert current_drawing() is None


def test_what_is_wrong_is_left_to_the_command(tmp_path: Path) -> None:
    for settings in (SimpleNamespace(model=tmp_path / "none"), SimpleNamespace(predictions=tmp_path / "none")):
        with opened_as_set(settings):
            assert current_drawing() is None
