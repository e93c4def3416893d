"""Law 7 for trainings that start from a model: lost and resumed, they write the same files; a class may be added."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from detect.nets.header import read_card
from tests.commands import Called, LostError, call
from tests.laws.test_law_07_resumed_trainings import lost_after
from tools.kill_training import COMMON, SAME, VARIANTS, contents, write_images

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*treespec"),
]
QUICK = ("data.sampling.samples=32", "data.mining.at=[]", "trainer.max_epochs=2")
FIRST = ("trainer.max_epochs=4", "trainer.ema=0.2", "finetune.lr=0.02")
AGAIN = ("finetune.keep=0", "finetune.freeze_bn=false")
"""The small network has learned from the first layer on, and goes on so."""


@pytest.mark.parametrize("variant", ["patch", "grid, averaged"])
def test_law_7_a_training_from_a_model_lost_and_resumed_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    """Every fourth object is of a class that the model does not know."""
    images = tmp_path / "images"
    write_images(images)
    table = pd.read_csv(images / "points.csv")
    known = sorted(set(table["label"]))
    table.loc[table.index % 4 == 0, "label"] = "added"
    table.to_csv(tmp_path / "more.csv", index=False)

    def train(labels: Path, output: Path, *more: str) -> Called:
        data = (f"data.root={images}", f"data.annotations={labels}", f"output={output}")
        common = [each for each in COMMON if each != "finetune=scratch"]
        return call("train", *data, *common, *VARIANTS[variant], *QUICK, *more)

    done = train(images / "points.csv", tmp_path / "first", "finetune=scratch", *FIRST)
    assert done.code == 0, done.log
    model = tmp_path / "first/model.safetensors"
    given = (f"init={model}", *AGAIN)
    whole, lost = tmp_path / "whole", tmp_path / "lost"
    done = train(tmp_path / "more.csv", whole, *given)
    assert done.code == 0, done.log
    assert "new, learned from the first: added" in done.log and "had learned from" not in done.log
    card, before = read_card(whole / "model.safetensors"), read_card(model)
    assert card.classes == tuple(sorted({*known, "added"}))
    assert (card.offset, card.scale) == (before.offset, before.scale)
    assert any("started from" in note for note in card.training["notes"])
    config = yaml.safe_load((whole / "config.yaml").read_text())
    assert config["finetune"]["lr"] < yaml.safe_load((tmp_path / "first/config.yaml").read_text())["finetune"]["lr"]
    with monkeypatch.context() as patch, pytest.raises(LostError):
        lost_after(patch, 1)
        train(tmp_path / "more.csv", lost, *given, "resume=true")
    done = train(tmp_path / "more.csv", lost, *given, "resume=true")
    assert done.code == 0, done.log
    one, other = contents(whole), contents(lost)
    assert [name for name in SAME if one[name] != other[name]] == []
    done = train(tmp_path / "more.csv", tmp_path / "first", *given, "overwrite=true")
    assert done.code == 2 and "name another output" in done.log and model.is_file()
