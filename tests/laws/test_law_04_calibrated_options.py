"""What makes probabilities of scores changes no count, whatever a run is asked to do: it is the last step of all."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from detect.assembly.detector import Detector
from detect.assembly.engine.ready_engine import make_engine
from detect.assembly.gate import checked_data, inference_defaults
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.imagery.description.scene_opening import open_scene
from detect.inference.engine import Engine
from detect.inference.meeting.scale_views import ScaleViews
from detect.inference.run import count_scene
from detect.inference.runtimes.torch_runtime import TorchRuntime
from detect.inference.tiles import Source
from detect.nets.card import ModelCard
from detect.nets.facts.probabilities import MIN_CANDIDATE_SCORE, Calibration
from detect.nets.modelfile import save_model
from tests.commands import call
from tests.engines import write
from tests.grids import grid_engine, lively_grid

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

OWN = 0.6
CALIBRATIONS = [None, Calibration(0.3, -2.0), Calibration(4.0, 1.5)]
"""None; one that makes all scores low; one that makes 0.6 of the network 0.96 and 0.999 more than 1 - 1e-12."""


def card_of(calibration: Calibration | None, size: float | None = 24.0) -> ModelCard:
    """The card of one network, at what is the same threshold with a calibration and without."""
    _, card = lively_grid(size)
    if calibration is None:
        return replace(card, threshold=OWN)
    return replace(card, threshold=float(calibration(OWN)), calibration=calibration.to_record())


def probabilities(calibration: Calibration | None, scores: np.ndarray) -> np.ndarray:
    return scores if calibration is None else calibration(scores)


@pytest.mark.parametrize("size", [24.0, None], ids=["boxes", "points"])
def test_several_sizes(tmp_path: Path, size: float | None) -> None:
    """Means over sizes are of the network's scores; what is expected is of all of them from 0.02 on."""
    scene = open_scene(write(tmp_path / "a.png", 150, 170))
    runtime = TorchRuntime(lively_grid(size)[0], torch.device("cpu"))

    def made(calibration: Calibration | None) -> Engine:
        engine = grid_engine(card_of(calibration, size), runtime).with_candidates()
        return replace(engine, scale_views=ScaleViews((0.7, 1.3), 12.0, engine.separation))

    plain, *others = [count_scene(scene, made(each)) for each in CALIBRATIONS]
    assert plain.candidates is not None and len(plain.candidates) > len(plain.detections) > 0
    assert plain.candidates.score.min() >= MIN_CANDIDATE_SCORE
    for calibration, other in zip(CALIBRATIONS[1:], others, strict=True):
        assert other.candidates is not None
        for one, two in ((plain.detections, other.detections), (plain.candidates, other.candidates)):
            np.testing.assert_allclose(one.xy, two.xy, rtol=0, atol=1e-9)
            np.testing.assert_array_equal(one.label, two.label)
            np.testing.assert_allclose(probabilities(calibration, one.score), two.score, rtol=1e-9)


def test_the_scale_of_each_image(tmp_path: Path) -> None:
    """`rescale=auto` compares the network's scores, at its threshold, which the calibration leaves where it was."""
    source = Source("a", open_scene(write(tmp_path / "a.png", 260, 300)))
    answers = []
    for calibration in CALIBRATIONS:
        card = card_of(calibration)
        settings = replace(checked_data(inference_defaults(), InferenceSettings), rescale="auto")
        settings = replace(settings, runtime=replace(settings.runtime, runtime="torch", device="cpu"))
        engine = make_engine(settings, lively_grid()[0], card, card.threshold)
        assert engine.meeting is not None and not isinstance(engine.meeting.scale, float)
        assert engine.meeting.scale.threshold == pytest.approx(OWN, rel=1e-12)
        answers.append(engine.meeting.answers(source, card.bands, engine.plan))
    for other in answers[1:]:
        assert other.keys() == answers[0].keys()
        for factor, scores in other.items():
            assert len(scores)
            np.testing.assert_array_equal(scores, answers[0][factor])


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    for number, calibration in enumerate(CALIBRATIONS):
        save_model(folder / f"{number}.safetensors", lively_grid()[0], card_of(calibration))
    return [folder / f"{number}.safetensors" for number in range(len(CALIBRATIONS))]


@pytest.mark.parametrize("asked", [{}, {"tta": "flips"}, {"tta": "flips+scales"}, {"rescale": "auto"}], ids=str)
def test_the_python_face(models: list[Path], tmp_path: Path, asked: dict[str, Any]) -> None:
    image = write(tmp_path / "a.png", 150, 170)
    plain, *others = [Detector.load(model, "cpu", "torch").count(image, **asked) for model in models]
    assert plain.total > 0
    for other in others:
        np.testing.assert_allclose(other.detections.xy, plain.detections.xy, rtol=0, atol=1e-9)
        assert other.counts == plain.counts


@pytest.mark.parametrize("more", [(), ("tta=scales",)], ids=["plain", "scales"])
def test_a_threshold_that_the_scores_tell(models: list[Path], tmp_path: Path, more: tuple[str, ...]) -> None:
    """The mixture is of the network's scores; tables have probabilities, and the candidates expected are the same."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        write(images / f"{number}.png", 260, 300, number)
    tables = []
    for number, model in enumerate(models):
        out = tmp_path / str(number)
        base = (f"model={model}", f"images={images}", f"output={out}", "runtime=torch", "runtime.device=cpu")
        done = call("predict", *base, "threshold=survey", "write=[tables,candidates]", *more)
        assert done.code == 0, done.log
        assert more or "told by the scores of this run" in done.log
        names = ("counts.csv", "detections.csv", "candidates/0.png.csv")
        tables.append([pd.read_csv(out / name) for name in names])
    counts, found, kept = tables[0]
    assert counts["total"].sum() == len(found) > 0
    assert len(kept) > counts["total"][0]
    for calibration, (other_counts, other_found, other_kept) in zip(CALIBRATIONS[1:], tables[1:], strict=True):
        assert other_counts["total"].tolist() == counts["total"].tolist()
        for mine, theirs in ((found, other_found), (kept, other_kept)):
            assert mine["label"].tolist() == theirs["label"].tolist()
            np.testing.assert_allclose(theirs[["x", "y"]], mine[["x", "y"]], rtol=0, atol=1e-3)
            expected = probabilities(calibration, mine["score"].to_numpy())
            np.testing.assert_allclose(theirs["score"], expected, rtol=0, atol=2e-3)
        assert other_counts["expected"][0] == pytest.approx(other_kept["score"].sum(), abs=0.01)
