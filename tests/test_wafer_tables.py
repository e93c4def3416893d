import json
from pathlib import Path

import pandas as pd
import pytest

from tools.wafer_tables import EXPERIMENT, TABLES, Scored, asked, cells_of, composed, epochs_of, read_scores, thinned


def maps(number: int) -> pd.DataFrame:
    """A table of three classes, each with a number of maps that train, two that validate and one that tests."""
    sides = ["train"] * number + ["val"] * 2 + ["test"]
    rows = [(f"{name}{i}.png", name, side) for name in "abc" for i, side in enumerate(sides)]
    return pd.DataFrame(rows, columns=["image", "label", "split"])


def test_classes_are_thinned_to_a_twentieth_and_validation_stays() -> None:
    """Of 40: all, 40 / sqrt(20) = 8.9, and 40 / 20; the others test, in the place of what tested before."""
    labels = maps(40)
    made = thinned(labels, 0)
    number = made.groupby(["split", "label"]).size()
    assert number["train"].to_dict() == {"a": 40, "b": 9, "c": 2}
    assert number["test"].to_dict() == {"b": 31, "c": 38}
    assert made[made["split"] == "val"].equals(labels[labels["split"] == "val"])
    assert set(made["image"]) == set(labels[labels["split"] != "test"]["image"])
    kept = [thinned(labels, seed).query("split == 'train'")["image"].tolist() for seed in (0, 0, 1)]
    assert kept[0] == kept[1] != kept[2]


def test_a_class_of_few_maps_keeps_two() -> None:
    """A twentieth of 5 is less than 1."""
    assert thinned(maps(5), 0).query("split == 'train' and label == 'c'").shape[0] == 2


def test_fewer_maps_are_shown_in_more_epochs() -> None:
    """In batches of 16, 170 maps are 11 steps an epoch, of which 36 are 396; 500 are 32, of which 12 are 384."""
    settings = [EXPERIMENT, "data.root=x", "data.loading.batch_size=16"]
    assert epochs_of(400, 170, settings) == 36
    assert epochs_of(400, 500, settings) == 12


def test_a_row_has_the_epoch_that_was_chosen_and_the_last(tmp_path: Path) -> None:
    scores = {"macro_f1": 0.9, "balanced_accuracy": 0.8, "per_class": {"a": {"f1": 1.0}, "b": {"f1": 0.75}}}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    (tmp_path / "metrics.csv").write_text(
        "epoch,train/loss,val/macro_f1,val/balanced_accuracy\n0,1,,\n0,,0.9,0.8\n1,0.5,,\n1,,0.7,0.6\n"
    )
    (tmp_path / "views").mkdir()
    (tmp_path / "views/scores.json").write_text(json.dumps({"macro_f1": 0.85, "balanced_accuracy": 0.84}))
    run = read_scores(tmp_path)
    assert run == Scored(0.9, 0.8, 0.7, 0.6, 0.85, 0.84, None, {"a": 1.0, "b": 0.75})
    (tmp_path / "test").mkdir()
    (tmp_path / "test/scores.json").write_text(json.dumps({"balanced_accuracy": 0.5}))
    assert read_scores(tmp_path).left_out == 0.5
    assert cells_of("x", [run]) == ["x", "0.900", "0.800", "0.700", "0.600", "0.850", "0.840", "", "1.00", "0.75"]
    twice = cells_of("x", [run, Scored(0.7, 0.8, 0.7, 0.6, 0.85, 0.84, 0.4, {"a": 0.5, "b": 0.25})])
    assert twice[1] == "0.800 ± 0.141" and twice[7:] == ["0.400", "0.75", "0.50"]


@pytest.mark.parametrize(("table", "row"), [(table, row) for table in TABLES for row in TABLES[table]])
def test_every_row_is_one_of_the_settings_that_there_are(table: str, row: str) -> None:
    made = composed([EXPERIMENT, "data.root=x", *TABLES[table][row]])
    if row == "none":
        assert made.augment.patterns.p == 0


@pytest.mark.parametrize(("wrong", "said"), [("--tables=odd", "there is no odd"), ("--only=odd", "has no row 'odd'")])
def test_a_table_or_row_that_there_is_not_is_refused(
    wrong: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["wafer_tables.py", "--root=x", "--labels=x", "--into=x", wrong])
    with pytest.raises(SystemExit):
        asked()
    assert said in capsys.readouterr().err
