"""Law 7 for a training with folds: lost in one of them, or after all, it ends as one that was not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from detect.assembly.folds import choosing
from detect.learning.checkpoints import Checkpoints
from detect.learning.run_file import read_run_facts, read_run_tensors, write_run_file
from detect.nets.modelfile import load_model
from tests.commands import Called, LostError, call
from tools.kill_training import COMMON, SAME, VARIANTS, contents, write_images

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*treespec"),
]

QUICK = ("data.sampling.samples=16", "trainer.max_epochs=4", "data.mining.at=[0.3]", "data.split.folds=3")
EAGER = ("trainer.ema=0.2", "finetune.lr=0.02", "finetune.score_every=2")

Train = Callable[..., Called]


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Call a small training on four images of which none is named for validation, into a folder."""
    images = tmp_path_factory.mktemp("data") / "images"
    write_images(images)
    table = images / "points.csv"
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    plain = [",".join(row.split(",")[:4]) for row in (header, *rows)]
    table.write_text("\n".join(plain) + "\n", encoding="utf-8")

    def trained(output: Path, *more: str) -> Called:
        data = (f"data.root={images}", f"data.annotations={table}", f"output={output}")
        return call("train", *data, *COMMON, *VARIANTS["grid"], *QUICK, *EAGER, *more)

    return trained


@pytest.fixture(scope="module")
def whole(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing disturbed."""
    output = tmp_path_factory.mktemp("whole") / "run"
    done = train(output)
    assert done.code == 0, done.log
    return output


def lost_after_fold(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Make a training end as the machine is lost, once a fold is written."""
    real = choosing.write_fold

    def write(path: Path, *given: object) -> None:
        real(path, *given)  # type: ignore[arg-type]
        if path.stem == str(number):
            raise LostError

    monkeypatch.setattr(choosing, "write_fold", write)


def lost_after_epoch(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Make the training of the model end as the machine is lost, once an epoch is written."""
    real = Checkpoints.on_train_epoch_end

    def end(self: Checkpoints, trainer, module) -> None:
        real(self, trainer, module)
        if trainer.current_epoch + 1 == epoch:
            raise LostError

    monkeypatch.setattr(Checkpoints, "on_train_epoch_end", end)


def test_all_images_learn_and_the_scores_are_of_networks_that_had_not(whole: Path) -> None:
    scores = json.loads((whole / "scores.json").read_text())
    names = [f"{i}.png" for i in range(4)]
    assert scores["chosen_on"] == "folds of other scenes" and scores["seen_in_training"] == []
    assert sorted(scores["per_image"]) == names and not any(each["seen"] for each in scores["per_image"].values())
    record = load_model(whole / "model.safetensors")[1].training
    assert (sorted(record["train"]), record["val"]) == (names, [])
    of_fold = {name: i for i, part in enumerate(record["folds"], 1) for name in part}
    assert {name: each["fold"] for name, each in scores["per_image"].items()} == of_fold
    assert sorted(of_fold.values()) == [1, 1, 2, 3]
    assert any("3 short trainings" in note for note in record["notes"])


def test_law_7_lost_after_a_fold_and_after_an_epoch_and_resumed_it_ends_as_one_that_was_not(
    train: Train, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(LostError):
        lost_after_fold(patch, 2)
        train(output)
    assert sorted(file.name for file in (output / "folds").glob("*.safetensors")) == ["1.safetensors", "2.safetensors"]
    shutil.move(output, tmp_path / "moved")
    with monkeypatch.context() as patch, pytest.raises(LostError):
        lost_after_epoch(patch, 2)
        train(tmp_path / "moved", "resume=true")
    done = train(tmp_path / "moved", "resume=true")
    assert done.code == 0 and "fold 3 is done" in done.log, done.log
    one, other = contents(whole), contents(tmp_path / "moved")
    assert [name for name in SAME if one[name] != other[name]] == []


def test_folds_of_other_settings_are_refused_and_damaged_ones_told(train: Train, whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "folds", tmp_path / "run/folds")
    done = train(tmp_path / "run")
    assert done.code == 2 and "holds folds already" in done.log, done.log
    done = train(tmp_path / "run", "resume=true", "seed=3")
    assert done.code == 2 and "seed: 0 then, 3 now" in done.log, done.log
    file = tmp_path / "run/folds/1.safetensors"
    facts, tensors = read_run_facts(file), read_run_tensors(file)
    for changed, text in (({"counted": [9]}, "is damaged"), ({"images": []}, "overwrite=true starts afresh")):
        write_run_file(file, tensors, {**facts, **changed})
        done = train(tmp_path / "run", "resume=true")
        assert done.code == 2 and text in done.log, done.log
