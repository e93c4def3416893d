"""`detect.export`: networks in other programs, and counts without this package."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from detect.assembly.exports.exported_files import ENDINGS, runner
from detect.assembly.exports.model_export import write_checked
from detect.inference.exports import parity
from detect.nets.card import ModelCard
from detect.nets.heads.grid import GridDetector
from detect.nets.heads.patch import PatchClassifier
from detect.nets.heads.specs import WholeHead
from detect.nets.modelfile import build_net, save_model
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo
from tests.cards import card_of, patch_card
from tests.commands import call
from tests.conftest import plant, scatter
from tests.grids import grid_card
from tests.imagery.rasters import write_tiff

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "tools" / "count_with_onnx.py"

ALONE = """
import importlib.abc, runpy, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("detect", "torch", "timm", "scipy", "torchvision", "openvino"):
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Blocked())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
assert not {"detect", "torch", "timm", "scipy"} & sys.modules.keys()
"""
"""Runs a program in a process in which this package, and what it is made of, cannot be imported."""


def untrained(path: Path, card: ModelCard, seed: int = 0) -> Path:
    """A model with new weights."""
    torch.manual_seed(seed)
    net = build_net(card).eval()
    save_model(path, net, card)
    return path


def counts_of_predict(model: Path, image: Path, output: Path) -> dict[str, int]:
    done = call(
        "predict",
        *(f"model={model}", f"images={image}", f"output={output}", "write=[tables]"),
        *("runtime=torch", "runtime.device=cpu"),
    )
    assert done.code == 0, done.log
    row = pd.read_csv(output / "counts.csv").iloc[0]
    with_classes = row.drop([name for name in ("image", "total", "expected") if name in row.index])
    return {name: int(value) for name, value in with_classes.items() if name in ("disc", "a", "b") and value}


def counts_alone(model: Path, image: Path) -> dict[str, int]:
    command = [sys.executable, "-I", "-c", ALONE, str(EXAMPLE), str(model), str(image)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """An image that is no multiple of any stride."""
    path = tmp_path / "photograph.png"
    plant(path, scatter(7, 8), 7, side=331)
    return path


def test_the_example_has_thirty_lines() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    program = lines[lines.index("from PIL import Image, ImageOps") + 1 :]
    assert sum(bool(line.strip()) for line in program) <= 30
    assert "detect" not in {word.split(".")[0] for line in lines if "import" in line for word in line.split()}


def test_a_trained_classifier_counts_the_same_without_this_package(
    trained: Path, photograph: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    model, made = trained / "model.safetensors", tmp_path / "out" / "net.onnx"
    done = call("export", f"model={model}", "format=onnx", f"output={made}")
    assert done.code == 0, done.log
    assert "onnx and torch: maps of 1x3x192x128 and 2x3x96x320 pixels differ by" in done.log
    assert [path.name for path in made.parent.iterdir()] == ["net.onnx"]
    found = counts_of_predict(model, photograph, tmp_path / "counts")
    assert found["disc"] >= 5
    assert counts_alone(made, photograph) == found
    assert no_paths(made, tmp_path, trained)


@pytest.mark.parametrize("size", [20.0, None], ids=["boxes", "points"])
def test_a_grid_counts_the_same_without_this_package(size: float | None, photograph: Path, tmp_path: Path) -> None:
    """Stretched new weights find objects at random: hundreds of cells that compete with each other."""
    pytest.importorskip("onnxruntime")
    card = grid_card(size, halo=96, threshold=0.5, separation=0.3 if size else 18.0)
    torch.manual_seed(3)
    net = build_net(card).eval()
    assert isinstance(net, GridDetector)
    net.head.weight.data *= torch.tensor([2e4, 5e3, 5e3, 2e3, 2e3, 1e4, 1e4])[:, None, None, None]
    with torch.inference_mode():
        net.head.bias.data -= net(photograph_pixels(photograph)).mean(dim=(0, 2, 3))
    save_model(tmp_path / "model.safetensors", net, card)
    write_checked("onnx", net, card, tmp_path / "net.onnx")
    found = counts_of_predict(tmp_path / "model.safetensors", photograph, tmp_path / "counts")
    assert len(found) == 2 and sum(found.values()) > 30
    assert counts_alone(tmp_path / "net.onnx", photograph) == found


def test_many_bands_of_sixteen_bits_count_the_same_without_this_package(tmp_path: Path) -> None:
    """Five of six bands, in an order of their own; one cell in eight is as likely as the threshold."""
    pytest.importorskip("onnxruntime")
    pixels = np.random.default_rng(0).integers(0, 1 << 14, (6, 203, 331)).astype(np.uint16)
    write_tiff(tmp_path / "photo.tif", pixels)
    np.save(tmp_path / "photo.npy", pixels.transpose(1, 2, 0))
    card = patch_card(
        BackboneSpec("lenet5", 4),
        **{"bands": (6, 1, 4, 2, 5), "dtype": "uint16", "patch_size": 16, "halo": 24, "separation": 8.0},
        offset=(8000.0,) * 5,
        scale=(3000.0,) * 5,
    )
    torch.manual_seed(0)
    net = build_net(card).eval()
    assert isinstance(net, PatchClassifier) and net.head.bias is not None
    assert card.halo == receptive_halo(net, 4, 5, 4)
    with torch.no_grad():
        cells = net(torch.from_numpy(pixels[[5, 0, 3, 1, 4], :200, :328].astype(np.float32))[None])[0]
        net.head.bias -= cells.mean(dim=(1, 2))
    cells = cells - cells.mean(dim=(1, 2), keepdim=True)
    odds = torch.logsumexp(cells[1:], 0) - cells[0]
    card = replace(card, threshold=float(torch.sigmoid(torch.quantile(odds, 7 / 8))))
    save_model(tmp_path / "model.safetensors", net, card)
    write_checked("onnx", net, card, tmp_path / "net.onnx")
    found = counts_of_predict(tmp_path / "model.safetensors", tmp_path / "photo.tif", tmp_path / "counts")
    assert len(found) == 2 and sum(found.values()) > 30
    assert counts_alone(tmp_path / "net.onnx", tmp_path / "photo.npy") == found
    run, tiles = runner("onnx", tmp_path / "net.onnx"), np.stack([pixels[:5, :40, :72], pixels[1:, -40:, -72:]])
    np.testing.assert_allclose(run(tiles), np.concatenate([run(tile[None]) for tile in tiles]), atol=1e-5)


def photograph_pixels(path: Path) -> torch.Tensor:
    """The first 320 rows and columns of an image as a tile."""
    return torch.from_numpy(np.asarray(Image.open(path))[:320, :320].transpose(2, 0, 1)[None].copy())


def no_paths(made: Path, *secrets: Path) -> bool:
    """Whether a file, and what is packed in it, names no folder of this machine."""
    data = made.read_bytes()
    if zipfile.is_zipfile(made):
        with zipfile.ZipFile(made) as packed:
            data = b"".join(packed.read(name) for name in packed.namelist())
    folders = [str(each) for each in (*secrets, ROOT, Path.home(), Path(torch.__file__).parent)]
    return not any(folder.encode() in data for folder in folders)


@pytest.mark.parametrize("kind", ["openvino", "pt2"])
def test_other_formats_hold_the_record_and_run(kind: str, tmp_path: Path) -> None:
    model = untrained(tmp_path / "model.safetensors", patch_card(BackboneSpec("lenet5", 4), patch_size=16, halo=16))
    made = tmp_path / {"openvino": "net.xml", "pt2": "net.pt2"}[kind]
    done = call("export", f"model={model}", f"format={kind}", f"output={made}")
    assert done.code == 0, done.log
    assert runner(kind, made)(np.zeros((3, 3, 20, 36), np.uint8)).shape == (3, 3, 5, 9)
    if kind == "openvino":
        from detect.inference.runtimes.openvino_runtime import shared_core

        record = shared_core().read_model(made).get_rt_info(["detect"]).astype(str)
        assert no_paths(made.with_suffix(".bin"), tmp_path)
    else:
        extra = {"detect": ""}
        torch.export.load(made, extra_files=extra)
        record = extra["detect"]
    assert json.loads(record)["classes"] == ["a", "b"]
    assert no_paths(made, tmp_path)


def test_whole_images_with_a_familiarity_of_sixteen_bits_are_exported(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    head = WholeHead(32, "one", "none", known=3)
    card = card_of(head, BackboneSpec("lenet5", 4), bands=(1, 2), dtype="uint16", halo=0)
    torch.manual_seed(0)
    net = build_net(card).eval()
    assert net.familiarity is not None
    net.familiarity.known.normal_()
    for kind, ending in ENDINGS.items():
        write_checked(kind, net, card, tmp_path / f"net{ending}")
    from detect.inference.runtimes.openvino_runtime import shared_core

    record = json.loads(shared_core().read_model(tmp_path / "net.xml").get_rt_info(["detect"]).astype(str))
    assert (record["dtype"], record["input_dtype"]) == ("uint16", "float32")  # OpenVINO takes no uint16


def test_nothing_is_written_of_a_network_that_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    model = untrained(tmp_path / "model.safetensors", patch_card(BackboneSpec("lenet5", 4), patch_size=16, halo=16))
    monkeypatch.setattr(parity, "MOST_DIFFERENCE", -1.0)
    output = tmp_path / "out" / "net.onnx"
    done = call("export", f"model={model}", "format=onnx", f"output={output}")
    assert done.code == 2 and "the exported network is not the network" in done.log
    assert list(output.parent.iterdir()) == []


def test_a_file_that_is_there_is_kept_and_wrong_use_is_told(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_text("mine")
    (tmp_path / "folder.xml").mkdir()
    given = ("model=none.safetensors", f"output={tmp_path / 'net.xml'}", "format=openvino")
    done = call("export", *given)
    assert done.code == 2 and "net.bin is there already; overwrite=true replaces it" in done.log
    assert (tmp_path / "net.bin").read_text() == "mine"
    for more, said in (
        (["output=net.onnx"], "must end in .xml, as files of format=openvino do"),
        (["format=pt2", "output=net.pt2", "precision=int8"], "precision=int8 is for format=onnx and format=openvino"),
        (["precision=int8"], "give data.root=DIR too"),
        (["data.root=x"], "data.root is for precision=int8"),
        (["overwrite=true"], "no such model file"),
        ([f"output={tmp_path / 'folder.xml'}", "overwrite=true"], "folder.xml is a folder; name a file"),
        ([f"output={tmp_path / 'net.bin' / 'net.xml'}"], "net.bin is a file; name another folder"),
    ):
        done = call("export", *given, *more)
        assert done.code == 2 and said in done.log


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detect.assembly.exports.model_export.find_spec", lambda name: None)
    done = call("export", "model=m", "format=onnx", f"output={tmp_path / 'net.onnx'}")
    assert done.code == 2 and "needs onnx, onnxruntime: pip install 'detect[export]'" in done.log
