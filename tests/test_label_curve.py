"""The draws, the arithmetic and the restart of the program that measures how many labelled images are enough."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from tools import label_curve


def table(names: str, held: str = "") -> pd.DataFrame:
    """One point in each image; those of `held` are on the side `val`."""
    rows = [{"image": f"{name}.png", "x": "5", "y": "5", "label": "disc"} for name in names]
    return pd.DataFrame(rows).assign(split=["val" if name in held else "train" for name in names])


def test_each_image_is_held_back_in_turn_and_draws_are_nested() -> None:
    """Of four images three are left: 1, 2 and 3 train, 5 and 10 cannot; each one trains alone once."""
    found = list(label_curve.draws(table("abcd"), None, 0))
    assert [len(draw.trained) for draw in found] == [1] * 4 + [2] * 4 + [3] * 4
    assert Counter(draw.trained[0] for draw in found[:4]) == Counter(f"{name}.png" for name in "abcd")
    for one, two, three in zip(found[:4], found[4:8], found[8:], strict=True):
        assert one.tested == two.tested == three.tested and one.tested[0] not in three.trained
        assert one.trained == two.trained[:1] and two.trained == three.trained[:2]
    assert len({draw.name for draw in found}) == 12


def test_a_side_is_held_back_and_another_seed_shuffles_otherwise() -> None:
    first, other = (list(label_curve.draws(table("abcdefghijklmno", "lmno"), "val", seed)) for seed in (0, 1))
    assert [len(draw.trained) for draw in first] == [1, 2, 3, 5, 10]
    assert all(draw.tested == ("l.png", "m.png", "n.png", "o.png") for draw in first)
    assert not set(first[-1].trained) & set(first[-1].tested) and first[-1].trained != other[-1].trained
    with pytest.raises(ValueError, match="0 of 3 images are held back, as split=val"):
        list(label_curve.draws(table("abc"), "val", 0))


def test_scores_are_of_all_objects_and_errors_of_the_runs() -> None:
    """10 objects, 8 found, 6 of them right, and 30, 33 and 24: F1 2 x 30 / 81.

    The counts err by -20 and +10 %: 15 % on average, and 41 of 40 together.
    """
    runs = [
        {"set": "s", "images": 1, "labelled": 4, "recall": 0.6, "f1": 12 / 18, "objects": 10, "found": 8},
        {"set": "s", "images": 1, "labelled": 8, "recall": 0.8, "f1": 48 / 63, "objects": 30, "found": 33},
    ]
    (row,) = label_curve.curve(runs).to_dict("records")
    assert row["f1"] == pytest.approx(60 / 81) and row["labelled"] == 6 and row["runs"] == 2
    assert (row["f1_low"], row["f1_high"]) == (12 / 18, 48 / 63)
    assert (row["count_error"], row["count_bias"]) == (pytest.approx(15), pytest.approx(2.5))


def test_finished_runs_are_kept_and_nothing_is_trained_dry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained: list[str] = []
    broken = True

    def train(given: Sequence[str], log: Path, threads: int | None) -> bool:
        """A training that finds every object, in no time; that of two images with c.png left out fails."""
        settings = dict(each.split("=", 1) for each in given)
        labels = pd.read_csv(settings["data.annotations"], dtype=str, keep_default_na=False)
        assert set(labels["split"]) == {"", "test"} and settings["trainer.max_epochs"] == "1" and threads == 1
        trained.append(Path(settings["output"]).name)
        if broken and trained[-1] == "2-c-seed0":
            return False
        scores = {"f1": 1, "precision": 1, "recall": 1, "objects": 1, "found": 1, "count_bias_percent": 0}
        (Path(settings["output"]) / "test").mkdir(parents=True)
        (Path(settings["output"]) / "test/scores.json").write_text(json.dumps(scores))
        return True

    monkeypatch.setattr(label_curve, "train", train)
    (tmp_path / "data/sealions").mkdir(parents=True)
    table("abc").to_csv(tmp_path / "data/sealions/points.csv", index=False)
    asked = [
        "--data",
        str(tmp_path / "data"),
        "--into",
        str(tmp_path / "runs"),
        "trainer.max_epochs=1",
        "--threads",
        "1",
    ]
    asked += ["--sets", "sealions"]
    assert label_curve.main([*asked, "--dry"]) == 0 and not trained
    assert "6 of 6 runs are not done" in capsys.readouterr().out
    assert label_curve.main([*asked, "--sizes", "2", "--figure", str(tmp_path / "curve.svg")]) == 1
    assert trained == [f"2-{name}-seed0" for name in "abc"], "a failed one does not stop the others"
    assert "1 of 3 runs are not done" in capsys.readouterr().out
    broken = False
    assert label_curve.main(asked) == 0
    assert sorted(trained[3:]) == sorted([*(f"1-{name}-seed0" for name in "abc"), "2-c-seed0"])
    assert label_curve.main(asked) == 0 and len(trained) == 7
    assert "| sea lions | 2 | 2 | 3 | 1.000 (1.00 to 1.00) | 0 % | +0 % |" in capsys.readouterr().out
    assert (tmp_path / "curve.svg").read_text().startswith("<?xml") and (tmp_path / "runs/curve.png").exists()
    assert len(json.loads((tmp_path / "runs/curve.json").read_text())) == 6
    with pytest.raises(SystemExit):
        label_curve.main([*asked[:-1], "walruses"])
    assert "--sets walruses: the sets are sealions, steel_bars, urban_trees" in capsys.readouterr().err


def test_runs_made_elsewhere_are_added_and_do_not_replace_those_at_hand(tmp_path: Path) -> None:
    own = [{"set": "urban_trees", "name": "1-seed0", "images": 1, "f1": 0.4}]
    other = [{**own[0], "f1": 0.9}, {"set": "sealions", "name": "3-5-seed0", "images": 3, "f1": 0.7}]
    (tmp_path / "curve.json").write_text(json.dumps(other))
    assert label_curve.with_measured(own, [tmp_path / "curve.json"]) == [other[1], own[0]]
