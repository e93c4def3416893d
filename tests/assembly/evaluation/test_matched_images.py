from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from detect.assembly.evaluation.matched_images import MatchedImages
from detect.reporting.tables import IMAGE


def run_of(*images: str) -> Any:
    return cast(Any, SimpleNamespace(folder=Path("run"), counts=pd.DataFrame({IMAGE: images})))


def test_images_that_are_in_one_of_the_two_alone_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """`a.png` is the annotated `x/a.png`, by the end of its path."""
    matched = MatchedImages.of(run_of("c.png", "a.png", "b.png"), ["x/a.png", "z.png", "y.png"], Path("t.csv"))
    assert matched.pairs == {"a.png": "x/a.png"}
    assert matched.left == {"not_annotated": ["b.png", "c.png"], "not_predicted": ["y.png", "z.png"]}
    matched.tell_left()
    assert "2 images are not annotated and not scored: b.png, c.png" in caplog.text
    assert "2 images are not predicted and not scored: y.png, z.png" in caplog.text


def test_nothing_in_both_is_an_error_that_shows_some_of_each() -> None:
    with pytest.raises(ValueError, match=r"no image of run is labelled in t\.csv; \['a\.png'\] against \['z\.png'\]"):
        MatchedImages.of(run_of("a.png"), ["z.png"], Path("t.csv"), "labelled")
