import pytest

from detect.assembly.evaluation.recorded_labels import LABELS, label_facts, recorded_labels

TRAINING = {"negative_labels": ["rock"], "ignore_labels": ["crowd"], "label_names": {"red": "adult male"}, "seed": 0}


def test_a_run_knows_the_labels_of_the_training_and_nothing_else() -> None:
    facts = label_facts(TRAINING)
    assert facts == {name: TRAINING[name] for name in ("negative_labels", "ignore_labels", "label_names")}
    assert recorded_labels({LABELS: facts}) == facts
    assert label_facts({}) == {"negative_labels": [], "ignore_labels": [], "label_names": {}}


@pytest.mark.parametrize(
    "facts",
    [
        None,
        [],
        {"negative_labels": "rock"},
        {"negative_labels": [3]},
        {"ignore_labels": [""]},
        {"label_names": {"red": None}},
        {"label_names": []},
        {"negative_labels": ["a"] * 10_001},
    ],
)
def test_what_no_run_has_written_is_not_believed(facts: object) -> None:
    assert recorded_labels({LABELS: facts}) == {} and recorded_labels({}) == {}
