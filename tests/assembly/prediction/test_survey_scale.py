"""One scale for all images of a run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from detect.assembly.engine.ready_engine import make_engine
from detect.assembly.prediction.run_record import result_settings
from detect.assembly.prediction.survey_scale import MOST_IMAGES, with_survey_scale
from detect.assembly.settings.predict_settings import PredictSettings
from detect.inference.meeting.met_images import Meeting
from detect.inference.meeting.scale_choice import FACTORS
from tests.engines import lively, write
from tests.typed import settings_of

torch.set_num_threads(1)


def settings(*overrides: str) -> PredictSettings:
    base = ("model=m", "images=i", "output=o", "runtime=torch", "runtime.device=cpu")
    return settings_of("predict", *base, *overrides)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of images whose answers were asked for: five sure objects at one size, none in any other."""
    names: list[str] = []

    def answers(self: Meeting, source, bands, plan):
        names.append(Path(source.name).name)
        return {factor: np.full(5 if factor == FACTORS[1] else 0, 0.99) for factor in FACTORS}

    monkeypatch.setattr(Meeting, "answers", answers)
    return names


def test_some_images_spread_over_the_run_choose_the_scale_of_all(tmp_path: Path, looked: list[str]) -> None:
    """Of 15, every second one, and none that is broken."""
    paths = [write(tmp_path / f"{i:02}.png", 40, 40) for i in range(15)]
    paths[4].write_bytes(b"broken")
    asked = settings("rescale=survey")
    net, card = lively()
    engine = with_survey_scale(asked, make_engine(asked, net, card, 0.5), paths)
    assert looked == [f"{i:02}.png" for i in range(0, 15, 2) if i != 4] and len(looked) == MOST_IMAGES - 1
    assert engine.meeting is not None and engine.meeting.scale == FACTORS[1]
    found = result_settings(asked, engine, card)
    assert (found["rescale"], found["rescale_factor"]) == ("survey", FACTORS[1])


@pytest.mark.parametrize("given", ["none", "0.7", "auto"])
def test_other_scales_are_of_each_image(tmp_path: Path, looked: list[str], given: str) -> None:
    net, card = lively()
    asked = settings(f"rescale={given}")
    made = make_engine(asked, net, card, 0.5)
    assert with_survey_scale(asked, made, [write(tmp_path / "a.png")]) is made and not looked
    wanted = {} if given == "none" else {"rescale": "auto" if given == "auto" else 0.7}
    found = result_settings(asked, made, card)
    assert {name: value for name, value in found.items() if "scale" in name} == wanted


def test_without_images_that_can_be_read_the_scale_stays(tmp_path: Path, looked: list[str]) -> None:
    (tmp_path / "a.png").write_bytes(b"broken")
    asked = settings("rescale=survey")
    made = make_engine(asked, *lively(), 0.5)
    assert made.meeting is not None
    found = with_survey_scale(asked, made, [tmp_path / "a.png"])
    assert found.meeting is not None and found.meeting.scale == 1
    assert with_survey_scale(asked, replace(made, meeting=None), [tmp_path / "a.png"]).meeting is None
