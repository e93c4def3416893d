from pathlib import Path

import pandas as pd
import pytest

from tools.leave_out_patterns import parts_of, read_labels


def test_a_class_that_is_left_out_is_judged_whole_and_learned_nowhere() -> None:
    rows = [("1", "a", "train"), ("2", "b", "train"), ("3", "b", "val"), ("4", "a", "val")]
    learned, judged = parts_of(pd.DataFrame(rows, columns=["image", "label", "split"]), "b")
    assert learned["image"].tolist() == ["1", "4"]
    assert judged.to_numpy().tolist() == [["1", "a", "train"], ["4", "a", "val"], ["2", "b", "val"], ["3", "b", "val"]]


def test_a_table_without_a_split_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,label\n1,a\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="split is missing"):
        read_labels(tmp_path / "labels.csv")
