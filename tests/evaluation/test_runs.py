import numpy as np
import pandas as pd
import pytest

from detect.evaluation.runs import ScoredRun, confusion_table, different_rules, runs_table, summary_table


def scored(hits: int, found: int, objects: int, **more: object) -> dict[str, object]:
    rates = {"f1": 2 * hits / (found + objects), "precision": hits / found if found else None}
    rates |= {"recall": hits / objects if objects else None, "count_bias_percent": 100 * (found - objects) / objects}
    return {**rates, "objects": objects, "found": found, "radius": 30.0, "iou": None, "split": "test", **more}


def test_means_spreads_and_pooled_counts() -> None:
    """Two folds. Hits 6 of 8 found and 10 true, 1 of 2 found and 2 true.

    F1 12 / 18 = 2/3 and 2 / 4 = 1/2: mean 7/12, deviation (2/3 - 1/2) / sqrt 2. Pooled: 7 hits, 10 found, 12 true:
    F1 14 / 22, precision 0.7, recall 7 / 12, bias -100 / 6 %.
    """
    runs = [ScoredRun("a", "", "1/2", 0, scored(6, 8, 10)), ScoredRun("b", "", "2/2", 0, scored(1, 2, 2))]
    table = runs_table(runs)
    assert table[["hits", "misses", "false_alarms"]].to_numpy().tolist() == [[6, 4, 2], [1, 1, 1]]
    summary = summary_table(table).set_index("score")
    assert summary.loc["f1", ["runs", "mean", "std", "pooled"]].tolist() == pytest.approx(
        [2, 7 / 12, (2 / 3 - 1 / 2) / 2**0.5, 14 / 22]
    )
    assert summary.loc[["precision", "recall"], "pooled"].tolist() == pytest.approx([0.7, 7 / 12])
    assert summary.loc["count_bias_percent", "pooled"] == pytest.approx(-100 / 6)
    assert summary.loc[["hits", "misses", "false_alarms"], "pooled"].tolist() == [7, 5, 3]
    assert np.isnan(summary.loc["f1", "std_over_seeds"])  # there is one seed


def test_the_error_of_the_count_is_over_images_and_not_over_folds() -> None:
    """Three images wrong by 2 on average and one wrong by 6: (3 x 2 + 6) / 4 = 3, where the folds' mean is 4."""
    runs = [
        ScoredRun("a", "", "1/2", 0, scored(6, 8, 10, count_mae=2.0, images=3)),
        ScoredRun("b", "", "2/2", 0, scored(1, 2, 2, count_mae=6.0, images=1)),
    ]
    table = runs_table(runs)
    assert table["images"].tolist() == [3, 1]
    assert summary_table(table).set_index("score").loc["count_mae", ["mean", "pooled"]].tolist() == [4, 3]
    old = runs_table([runs[0], ScoredRun("c", "", "2/2", 0, scored(1, 2, 2, count_mae=6.0))])
    assert np.isnan(summary_table(old).set_index("score").loc["count_mae", "pooled"])


def test_the_spread_of_seeds_is_that_of_their_means_over_folds() -> None:
    """Seed 0: 0.2 and 0.6, seed 1: 0.4 and 0.8; means 0.4 and 0.6, whose deviation is 0.2 / sqrt 2."""
    values = [(0, 0.2), (0, 0.6), (1, 0.4), (1, 0.8)]
    runs = [ScoredRun(str(i), "", "", seed, {"balanced_accuracy": value}) for i, (seed, value) in enumerate(values)]
    row = summary_table(runs_table(runs)).iloc[0]
    assert row["mean"] == pytest.approx(0.5) and row["std_over_seeds"] == pytest.approx(0.2 / 2**0.5)
    assert row["std"] == pytest.approx(np.std([0.2, 0.6, 0.4, 0.8], ddof=1)) and np.isnan(row["pooled"])


def test_settings_are_summarised_separately_and_undefined_scores_are_not_counted() -> None:
    runs = [
        ScoredRun("a", "net=x", "", 0, scored(1, 2, 2)),
        ScoredRun("b", "net=x", "", 1, scored(0, 0, 2)),
        ScoredRun("c", "net=y", "", 0, scored(2, 2, 2, radius=9.0)),
    ]
    summary = summary_table(runs_table(runs)).set_index(["setting", "score"])
    assert summary.loc[("net=x", "precision"), ["runs", "mean"]].tolist() == [1, 0.5]
    assert summary.loc[("net=x", "f1"), ["runs", "mean"]].tolist() == [2, 0.25]
    assert summary.loc[("net=y", "f1"), "mean"] == 1


def test_scores_by_different_rules_have_no_mean() -> None:
    runs = [ScoredRun("a", "", "", 0, scored(1, 2, 2)), ScoredRun("b", "", "", 1, scored(1, 2, 2, radius=9.0))]
    with pytest.raises(ValueError, match=r"^a .*\(30\.0, None\), b .*\(9\.0, None\)"):
        runs_table(runs)


def test_settings_that_were_scored_by_different_rules_are_named() -> None:
    one, other = ScoredRun("a", "net=x", "", 0, scored(1, 2, 2)), ScoredRun("b", "net=y", "", 0, scored(1, 2, 2))
    assert different_rules([one, other]) is None
    note = different_rules([one, ScoredRun("c", "net=y", "", 0, scored(1, 2, 2, radius=9.0))])
    assert note is not None and all(part in note for part in ("net=x: 30.0", "net=y: 9.0"))


def test_patches_have_no_counts() -> None:
    table = runs_table([ScoredRun("a", "", "", 0, {"accuracy": 0.5, "balanced_accuracy": 0.4, "split": "val"})])
    assert list(table.columns) == ["run", "setting", "fold", "seed", "split", "accuracy", "balanced_accuracy"]
    assert isinstance(summary_table(table), pd.DataFrame)


def test_confusions_are_added_up_where_they_are_of_the_same_classes() -> None:
    def confused(setting: str, labels: list[str], *rows: list[int]) -> ScoredRun:
        return ScoredRun("r", setting, "", 0, {"confusion": {"labels": labels, "matrix": list(rows)}})

    runs = [
        confused("a", ["true", "background"], [3, 1], [2, 0]),
        confused("b", ["cow"], [5]),
        confused("a", ["true", "background"], [1, 1], [0, 0]),
        confused("b", ["pig"], [5]),
        ScoredRun("r", "c", "", 0, {}),
    ]
    table = confusion_table(runs)
    assert table.columns.tolist() == ["setting", "true", "found", "number"]
    assert table.to_numpy().tolist() == [
        ["a", "true", "true", 4],
        ["a", "true", "background", 2],
        ["a", "background", "true", 2],
        ["a", "background", "background", 0],
    ]
    assert not len(confusion_table([runs[-1]]))
