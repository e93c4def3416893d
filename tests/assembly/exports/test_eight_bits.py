"""Exports of 8 bits: calibrated on training images, and refused where the validation images say that they lose much."""

import json
import re
import sys
from collections.abc import Callable
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from detect.assembly.exports import eight_bits, model_export, object_trial, trials
from detect.assembly.exports.exported_files import runner
from detect.nets.card import ModelCard
from detect.nets.heads.specs import WholeHead
from detect.nets.heads.whole import WholeClassifier
from detect.nets.modelfile import build_net, save_model
from detect.nets.net_spec import BackboneSpec
from tests.cards import card_of, grid_head, patch_card
from tests.commands import Called, call


@pytest.fixture
def export(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Called]:
    """Export a small classifier with new weights in 8 bits, with the planted discs as its labelled images."""
    if find_spec("nncf") is None:
        pytest.skip("NNCF is not installed: pip install 'detect[export]'")
    monkeypatch.setattr(object_trial, "TILE_SIDE", 64)
    card = patch_card(BackboneSpec("lenet5", 4), ("disc",), patch_size=16, halo=16, threshold=0.99, separation=16.0)
    torch.manual_seed(0)
    save_model(tmp_path / "model.safetensors", build_net(card).eval(), card)
    labels = (f"data.root={planted / 'images'}", f"data.annotations={planted / 'points.csv'}")

    def run(*given: str) -> Called:
        return call("export", f"model={tmp_path / 'model.safetensors'}", "precision=int8", "tiles=2", *labels, *given)

    return run


def test_it_is_calibrated_tried_and_written(export: Callable[..., Called], tmp_path: Path) -> None:
    """The network finds nothing with either arithmetic, which is told; weights are a quarter of the bytes."""
    made = tmp_path / "out" / "net.xml"
    done = export("format=openvino", f"output={made}")
    assert done.code == 0, done.log
    assert (
        "calibrated on 2 tiles of 2 images, biases corrected: F1 0.0000 on 1 validation images, 0.0000 in float32"
        in done.log
    )
    assert "F1 is 0 in float32 already: these images cannot show what int8 loses" in done.log
    assert sorted(path.name for path in made.parent.iterdir()) == ["net.bin", "net.xml"]
    from detect.inference.runtimes.openvino_runtime import shared_core

    record = json.loads(shared_core().read_model(made).get_rt_info(["detect"]).astype(str))
    assert record["precision"] == "int8" and record["classes"] == ["disc"]
    weights = 4 * sum(value.numel() for value in build_net(patch_card(BackboneSpec("lenet5", 4))).parameters())
    assert made.with_suffix(".bin").stat().st_size < weights / 2
    assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")], "usage statistics"
    assert runner("openvino", made)(np.zeros((2, 3, 40, 64), np.uint8)).shape == (2, 2, 10, 16)


def written(kind: str, net: object, card: object, path: Path) -> None:
    """Write files that stand for those of a network."""
    for ending in (".xml", ".bin"):
        path.with_suffix(ending).touch()


def quantised(source: Path, path: Path, tiles: object, record: str, *, corrected: bool) -> None:
    """Write files that stand for quantised ones and say how they were made."""
    assert source.exists() and source != path
    path.write_text("corrected" if corrected else "as they are")
    path.with_suffix(".bin").touch()


def test_a_loss_beyond_the_bound_writes_nothing(
    export: Callable[..., Called], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.90 before and 0.85 after lose 0.05, more than 0.02 and less than 0.06; other biases lose 0.07, or 0.01."""
    scores = iter([0.90, 0.85, 0.83, 0.90, 0.85, 0.90, 0.80, 0.89])
    trial = SimpleNamespace(score="F1", train=[1], val=[1], tiles=lambda number: [], tried=lambda run: next(scores))
    monkeypatch.setattr(trials, "trial_of", lambda settings, net, card: trial)
    monkeypatch.setattr(eight_bits, "quantise_openvino", quantised)
    monkeypatch.setattr(eight_bits, "runner", lambda kind, path: None)
    monkeypatch.setattr(model_export, "write_checked", written)
    given = "format=openvino", f"output={tmp_path / 'out' / 'net.xml'}"
    done = export(*given)
    assert done.code == 2 and "int8 loses 0.0500 of F1, and max_loss=0.02 is allowed; nothing was written" in done.log
    assert list((tmp_path / "out").iterdir()) == []
    assert export(*given, "max_loss=0.06").code == 0
    assert (tmp_path / "out" / "net.xml").read_text() == "corrected"
    assert "in float32 already" not in done.log
    done = export(*given, "overwrite=true")
    assert done.code == 0 and "biases as they are: F1 0.8900 on 1 validation images" in done.log
    assert (tmp_path / "out" / "net.xml").read_text() == "as they are"


def test_images_that_validate_must_be_there(export: Callable[..., Called], tmp_path: Path, planted: Path) -> None:
    rows = (planted / "points.csv").read_text().replace(",val", ",train")
    (tmp_path / "points.csv").write_text(rows)
    labels = f"data.annotations={tmp_path / 'points.csv'}"
    done = export("format=openvino", f"output={tmp_path / 'out' / 'net.xml'}", labels)
    assert done.code == 2 and "there are none of val: name some in data.split.val=[...]" in done.log
    assert (
        "openvino and torch" not in done.log and not (tmp_path / "out").exists()
    )  # told before the network is written


@pytest.fixture
def whole(tmp_path: Path) -> Callable[..., Called]:
    """Export a small classifier of whole images in 8 bits, of which a dark and a light one are in each side."""
    if find_spec("nncf") is None:
        pytest.skip("NNCF is not installed: pip install 'detect[export]'")
    head = WholeHead(32, "one", None, known=3)
    card = card_of(head, BackboneSpec("lenet5", 4), ("dark", "light"), (1,), halo=0, offset=(100.0,), scale=(50.0,))
    torch.manual_seed(0)
    net = build_net(card).eval()
    assert isinstance(net, WholeClassifier) and net.familiarity is not None
    net.familiarity.limit.fill_(9.0)
    save_model(tmp_path / "model.safetensors", net, card)
    rows = ["image,label,split"]
    for i, (label, side) in enumerate(product(("dark", "light"), ("train", "val"))):
        noise = np.random.default_rng(i).integers(0, 60, (40, 40)) + (150 if label == "light" else 20)
        Image.fromarray(noise.astype(np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{label},{side}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    given = (f"model={tmp_path / 'model.safetensors'}", "precision=int8", f"data.root={tmp_path}")
    labels = f"data.annotations={tmp_path / 'labels.csv'}"
    return lambda *more: call("export", *given, labels, *more)


def test_a_classifier_of_whole_images_is_tried_by_its_macro_f1(whole: Callable[..., Called], tmp_path: Path) -> None:
    made = tmp_path / "out" / "net.onnx"
    done = whole("format=onnx", f"output={made}", "max_loss=1")
    assert done.code == 0, done.log
    assert re.search(r"2 images, biases corrected: macro F1 [\d.]+ on 2 validation images, [\d.]+ in", done.log)
    import onnx

    model = onnx.load(made)
    record = json.loads(model.metadata_props[0].value)
    assert (record["head"], record["precision"], record["side"]) == ("whole", "int8", 32)
    rounded = {node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    assert rounded and not rounded & {"pixels", "raw_pixels"}, "bands of small values would be gone"


def untrained(path: Path, card: ModelCard) -> str:
    """A model with new weights, as a setting."""
    save_model(path, build_net(card), card)
    return f"model={path}"


def test_labels_of_another_kind_are_told(whole: Callable[..., Called], tmp_path: Path, planted: Path) -> None:
    out = ("format=onnx", f"output={tmp_path / 'out' / 'net.onnx'}")
    places = (f"data.annotations={planted / 'points.csv'}", f"data.root={planted / 'images'}")
    done = whole(*out, *places)
    assert done.code == 2 and "give a table of image,label" in done.log
    grid = untrained(tmp_path / "grid.safetensors", card_of(grid_head(), BackboneSpec("test_resnet", 8)))
    done = whole(*out, grid)
    assert done.code == 2 and "this model does not classify whole images" in done.log
    patches = patch_card(BackboneSpec("lenet5", 4), ("disc", "dot"), None, patch_size=16)
    done = whole(*out, *places, untrained(tmp_path / "patches.safetensors", patches))
    assert done.code == 2 and "give the folder of the patches as data.root" in done.log
    assert not (tmp_path / "out").exists()
