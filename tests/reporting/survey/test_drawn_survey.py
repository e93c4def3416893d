"""What is kept between the estimates of a review changes none of them."""

import numpy as np

from detect.labels.corrections import Corrections, ReviewedWindow
from tests.commands import call
from tests.reporting.survey.runs import CLASSES, scene, write_run


def test_an_estimate_after_many_is_that_of_a_survey_that_was_never_asked(tmp_path, monkeypatch):
    """Windows are reviewed one after the other, and each has objects taken away, moved or renamed in between."""
    from detect.assembly.surveys.surveying import drawn_survey
    from detect.evaluation.matching import Criterion

    truth = {name: scene(seed) for seed, name in enumerate(("a/one.jpg", "two.jpg"))}
    folder = write_run(tmp_path / "run", truth)
    done = call("survey", f"predictions={folder}", "windows=12")
    assert done.code == 0, done.log
    drawn, rng, said = drawn_survey(folder), np.random.default_rng(0), {}
    matched, real = [], Criterion.match
    monkeypatch.setattr(Criterion, "match", lambda self, *pair, **how: matched.append(1) or real(self, *pair, **how))
    classes = (*CLASSES, "goat")
    for number in range(24):
        name, window = drawn.tasks[number % len(drawn.tasks)]
        inside = truth[name][window.contains_xy(truth[name].xy)].with_classes(classes)
        kept = inside[rng.random(len(inside)) < 0.7]
        said[name, window] = ReviewedWindow(name, window, kept)
        corrections = Corrections(tuple(said.values()), classes)
        matched.clear()
        facts = drawn.facts(corrections)
        assert len(matched) <= 1, "windows that are as they were are not matched again"
        assert facts == drawn_survey(folder).facts(corrections)
    assert facts["windows_left"] == 0 and facts["recall"]["value"] is not None
