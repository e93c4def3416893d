from pathlib import Path

import numpy as np
import pytest
import torch

from detect.assembly.folds.fold_files import read_fold, read_fold_facts, write_fold
from detect.evaluation.out_of_fold import FoldFound
from detect.evaluation.scene_validation import Candidates
from detect.labels.detections import Detections
from detect.learning.run_file import RunFileError, read_run_facts, read_run_tensors, write_run_file


def tables(seed: int, *, boxes: bool) -> Candidates:
    """Random objects in three scenes, of which one has none, for two separations."""
    rng = np.random.default_rng(seed)

    def table(number: int) -> Detections:
        sizes = rng.uniform(1, 9, (number, 2)) if boxes else None
        return Detections(
            rng.uniform(0, 99, (number, 2)), rng.random(number), rng.integers(0, 2, number), ("a", "b"), sizes
        )

    return {value: {"x/1.png": table(5), "2.png": table(0), "3.png": table(2)} for value in (16.0, 8.0)}


@pytest.mark.parametrize("boxes", [False, True])
def test_what_a_fold_found_is_read_as_it_was_written_to_the_last_digit(tmp_path: Path, boxes: bool) -> None:
    found = FoldFound(4, {2: tables(0, boxes=boxes), 4: tables(1, boxes=boxes)})
    write_fold(tmp_path / "folds/1.safetensors", found, {"seed": 0}, "hash")
    facts = read_fold_facts(tmp_path / "folds/1.safetensors")
    assert (facts.settings, facts.labels, facts.images) == ({"seed": 0}, "hash", ["x/1.png", "2.png", "3.png"])
    read = read_fold(tmp_path / "folds/1.safetensors")
    assert read.epochs == 4 and list(read.found) == [2, 4]
    for epoch, candidates in found.found.items():
        assert list(read.found[epoch]) == [16.0, 8.0]
        for value, scenes in candidates.items():
            for name, table in scenes.items():
                other = read.found[epoch][value][name]
                assert other.classes == table.classes
                for column in ("xy", "score", "label", *(["wh"] if boxes else [])):
                    assert np.array_equal(getattr(other, column), getattr(table, column))


@pytest.mark.parametrize(
    ("group", "column", "value"),
    [
        ("2.0", "scene", torch.full((7,), 3)),
        ("2.0", "scene", torch.zeros(2, dtype=torch.int64)),
        ("2.1", "score", torch.full((7,), 2.0)),
        ("2.1", "label", torch.full((7,), 9)),
        ("2.1", "xy", torch.full((7, 2), torch.nan)),
    ],
)
def test_a_damaged_file_is_an_error_with_the_way_out(
    tmp_path: Path, group: str, column: str, value: torch.Tensor
) -> None:
    path = tmp_path / "1.safetensors"
    write_fold(path, FoldFound(4, {2: tables(0, boxes=False)}), {}, "")
    facts, tensors = read_run_facts(path), read_run_tensors(path)
    tensors[group][column] = value
    write_run_file(path, tensors, facts)
    with pytest.raises(RunFileError, match="overwrite=true starts afresh"):
        read_fold(path)


@pytest.mark.parametrize("changed", [{"epochs": -1}, {"separations": ["a"]}, {"counted": None}, {"classes": [1]}])
def test_facts_that_are_none_are_an_error(tmp_path: Path, changed: dict) -> None:
    path = tmp_path / "1.safetensors"
    write_fold(path, FoldFound(4, {2: tables(0, boxes=False)}), {}, "")
    write_run_file(path, read_run_tensors(path), {**read_run_facts(path), **changed})
    with pytest.raises(RunFileError, match="is damaged"):
        read_fold_facts(path)
