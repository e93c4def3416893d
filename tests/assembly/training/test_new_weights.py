from pathlib import Path

import pytest

from detect.assembly.training.new_weights import schedule_of
from tests.assembly.runs_of import grid_settings


def test_new_weights_have_no_pretrained_ones_to_be_interpolated_with(data: Path) -> None:
    settings = grid_settings(data, "boxes.csv", "net.weights=none", "finetune.keep=0", "finetune.interpolate=0.5")
    with pytest.raises(ValueError, match=r"finetune\.interpolate=0\.5 .* these are new"):
        schedule_of(settings, 3)
