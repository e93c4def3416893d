from pathlib import Path

import pandas as pd
import pytest

from tools.leave_out_patterns import groups_of, parts_of, read_labels, summary


def test_a_class_that_is_left_out_is_judged_whole_and_learned_nowhere() -> None:
    rows = [("1", "a", "train"), ("2", "b", "train"), ("3", "b", "val"), ("4", "a", "val")]
    learned, judged = parts_of(pd.DataFrame(rows, columns=["image", "label", "split"]), ["b"], "b")
    assert learned["image"].tolist() == ["1", "4"]
    assert judged.to_numpy().tolist() == [["1", "a", "train"], ["4", "a", "val"], ["2", "b", "val"], ["3", "b", "val"]]


def test_a_table_without_a_split_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,label\n1,a\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="split is missing"):
        read_labels(tmp_path / "labels.csv")


def test_of_classes_left_out_together_each_is_judged_by_itself() -> None:
    rows = pd.DataFrame([(str(i), name, "train") for i, name in enumerate("abc")], columns=["image", "label", "split"])
    learned, judged = parts_of(rows, groups_of("a,b+c")[1], "c")
    assert learned["label"].tolist() == ["a"]
    assert judged[["label", "split"]].to_numpy().tolist() == [["a", "train"], ["c", "val"]]


def test_the_worst_class_is_that_of_the_mean_over_seeds() -> None:
    """a is 0.5 and 0.9, b 0.6 and 0.6: means 0.7 and 0.6, together 0.65."""
    rows = pd.DataFrame({"left_out": ["a", "b", "a", "b"], "auroc": [0.5, 0.6, 0.9, 0.6], "unknown_rate": [0, 1, 0, 0]})
    made = summary(rows)
    assert made.loc["mean"].tolist() == pytest.approx([0.65, 0.25]) and made.loc["worst", "auroc"] == 0.6
