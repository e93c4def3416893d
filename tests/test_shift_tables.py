import numpy as np
import pytest
from hydra import compose, initialize_config_dir

from detect.assembly.command import conf_folder
from detect.assembly.gate import checked
from detect.assembly.settings.train_settings import TrainSettings
from detect.evaluation.matching import Criterion
from detect.labels.detections import Detections
from tools.shift_tables import OPTIONS, SETS, LeftOut, rates, row


def points(*rows: tuple[float, float, float]) -> Detections:
    """Points of x, y and score, of one class."""
    table = np.array(rows, np.float64).reshape(-1, 3)
    return Detections(table[:, :2], table[:, 2], np.zeros(len(table), np.int64), ("a",))


SCENE = LeftOut(
    threshold=0.5,
    found={"s": points((0, 0, 0.9), (50, 0, 0.2), (90, 90, 0.04))},
    truth={"s": points((1, 0, 1), (51, 0, 1))},
    criterion=Criterion(5),
)
"""Two objects: one scores 0.9, the other 0.2; a false alarm scores 0.04."""


def test_a_scene_is_compared_at_any_threshold() -> None:
    assert SCENE.tally(0.5) == (1, 1, 2) and SCENE.tally(0.1) == (2, 2, 2) and SCENE.tally(0.02) == (2, 3, 2)
    assert SCENE.expected == pytest.approx(0.9 + 0.2 + 0.04)


def test_a_row_has_the_chosen_threshold_and_the_best() -> None:
    """At 0.5 F1 is 2 x 1 / (1 + 2) and half is counted; from 0.04 to 0.2 both alone are found; 1.14 of 2 expected."""
    assert rates(1, 1, 2) == "0.667 | 1.00 | 0.50 | -50 %"
    cells = row("own", [SCENE], ["s"]).split(" | ")
    assert cells[:6] == ["| own", "0.667", "1.00", "0.50", "-50 %", "50 %"]
    best, at = cells[6].rstrip(")").split(" (")
    assert best == "1.000" and 0.04 <= float(at) <= 0.2 and cells[7] == "-43 %"


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", SETS)
def test_every_option_is_one_of_the_settings_that_there_are(name: str, option: str) -> None:
    wanted = OPTIONS[OPTIONS[option].models or option]
    settings = [*SETS[name].settings, "data.root=x", *(SETS[name].before if wanted.before else ()), *wanted.train]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        assert checked(compose("train", settings), TrainSettings).trainer.max_epochs >= 1
