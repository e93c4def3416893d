"""`detect.explain` from the command line to the page, with every head."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from detect.assembly.detector import Detector
from detect.explaining.method_names import ATTRIBUTIONS
from detect.nets.card import ModelCard
from detect.nets.heads.specs import WholeHead
from detect.nets.modelfile import build_net, save_model
from detect.nets.net_spec import BackboneSpec
from tests.cards import card_of
from tests.commands import call
from tests.engines import lively, write
from tests.grids import lively_grid

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps and noises, and small pictures: what is right of them is tested method by method."""
    for name, value in (
        ("detect.explaining.maximisation.ITERATIONS", 2),
        ("detect.explaining.effective_field.AVERAGED", 1),
        ("detect.explaining.attribution.SMOOTHED", 4),
        ("detect.explaining.attribution.MOST_STEPS", 32),
        ("detect.explaining.attribution.MOST_PLACES", 4),
        ("detect.explaining.explained_pictures.SHEET_SIDE", 200),
        ("detect.assembly.explaining.drawn_field.WIDEST_FIELD", 128),
        ("detect.assembly.explaining.drawn_network.DREAM_SIDE", 64),
    ):
        monkeypatch.setattr(name, value)


TORCH = ("runtime=torch", "runtime.device=cpu")


def saved(folder: Path, kind: str) -> Path:
    """The model file of a small random network that finds things."""
    path = folder / f"{kind}.safetensors"
    if kind == "whole":
        card: ModelCard = card_of(WholeHead(64, "one", None), BackboneSpec("test_resnet", 16), halo=0)
        torch.manual_seed(1)
        save_model(path, build_net(card), card)
    else:
        net, card = lively_grid(deepest=32) if kind == "grid" else lively()
        save_model(path, net, replace(card, halo_auto=32))  # a small tile, as most of the time is the network's
    return path


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model of the grid head, and an image with things in it."""
    folder = tmp_path_factory.mktemp("grid")
    return saved(folder, "grid"), write(folder / "a <b>&'.png", 160, 200)


def pictures(folder: Path) -> set[str]:
    """Names of the PNGs of a folder."""
    return {path.name for path in folder.glob("*.png")}


def test_every_method_of_a_grid_has_a_picture_and_a_command(grid: tuple[Path, Path], tmp_path: Path) -> None:
    model, image = grid
    out = tmp_path / "out"
    given = ("window=[16,24,96,120]", "class=objectness")
    done = call("explain", f"model={model}", f"image={image}", f"output={out}", *given)
    assert done.code == 0, done.log
    facts = json.loads((out / "explain.json").read_text())
    own = {
        "photograph.png",
        "field.png",
        "maximised_objectness.png",
        *(f"{each}_objectness.png" for each in ATTRIBUTIONS),
    }
    assert {name for name in pictures(out) if not name.startswith("features_")} == own < pictures(out)
    assert sorted(facts["files"]) == sorted(path.name for path in out.iterdir())
    with Image.open(out / "gradcam_objectness.png") as picture:
        assert picture.size == (4 * 120, 4 * 96)  # enlarged to 384 pixels or more
    page = (out / "explain.html").read_text()
    assert "a &lt;b&gt;&amp;&#39;.png" in page and "a <b>" not in page and "://" not in page
    assert page.count("data:image/png") == len(pictures(out))
    assert all(facts["pictures"][f"{each}_objectness"]["likeness"] is not None for each in ATTRIBUTIONS)
    again = shlex.split(facts["again"]["gradcam"])
    assert again[:3] == ["python", "-m", "detect.explain"]
    assert call("explain", *again[3:], "sanity=false").code == 0
    first, second = (np.asarray(Image.open(f / "gradcam_objectness.png")) for f in (out, Path(f"{out}-gradcam")))
    np.testing.assert_array_equal(first, second)


def test_a_grid_of_several_classes_is_explained_by_both_scores(grid: tuple[Path, Path], tmp_path: Path) -> None:
    model, image = grid
    given = (f"model={model}", f"image={image}", f"output={tmp_path / 'out'}", "window=[16,24,96,120]", "sanity=false")
    assert call("explain", *given, "methods=[saliency]").code == 0
    facts = json.loads((tmp_path / "out" / "explain.json").read_text())
    label = dict(facts["what"])["Explained"][0]
    assert pictures(tmp_path / "out") == {"photograph.png", "saliency_objectness.png", f"saliency_{label}.png"}


@pytest.mark.parametrize(("kind", "given"), [("patch", "window=[0,0,128,128]"), ("whole", "detection=1")])
def test_the_other_heads_are_explained_by_their_class(kind: str, given: str, tmp_path: Path) -> None:
    model, image = saved(tmp_path, kind), write(tmp_path / "a.png", 150, 170)
    chosen = ("methods=[saliency,gradcam,occlusion,maximise,field,layers]", "class=b", "sanity=false")
    done = call("explain", f"model={model}", f"image={image}", f"output={tmp_path / 'out'}", given, *chosen)
    assert done.code == 0, done.log
    wanted = {"photograph.png", "saliency_b.png", "gradcam_b.png", "occlusion_b.png", "maximised_b.png", "field.png"}
    assert pictures(tmp_path / "out") == wanted
    assert (tmp_path / "out" / "layers.csv").read_text().startswith("layer,kind,channels,")


def test_an_object_of_a_run_is_that_of_its_table(grid: tuple[Path, Path], tmp_path: Path) -> None:
    model, image = grid
    run = tmp_path / "run"
    assert call("predict", f"model={model}", f"images={image}", f"output={run}", "write=[tables]", *TORCH).code == 0
    rows = [line.rsplit(",", 5) for line in (run / "detections.csv").read_text().splitlines()[1:]]
    second = sorted(rows, key=lambda row: -float(row[4]))[1]
    given = (f"model={model}", f"image={image}", f"output={tmp_path / 'out'}", "methods=[saliency]", "sanity=false")
    done = call("explain", *given, f"predictions={run}", "detection=2")
    assert done.code == 0, done.log
    said = dict(json.loads((tmp_path / "out" / "explain.json").read_text())["what"])["Explained"]
    assert said.startswith(f"{second[5]}, detection 2 of {len(rows)}")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("window=[0,0,161,10]", "reaches beyond the image of 160 x 200 pixels"),
        ("window=[0,0,10]", "must be [row,col,height,width] in whole pixels"),
        ("detection=9999", "objects are found here; choose one of"),
        ("class=nobody", "class=nobody is none that the model knows: objectness, a, b"),
        ("methods=[lime]", "methods must be of saliency, smoothgrad"),
        ("layer=neck.nowhere", "layer=neck.nowhere is none of the network's"),
        ("channel=7", "channel must be LAYER:NUMBER"),
        ("channel=neck:7", "channel=neck:7 is for other methods than methods=[saliency]; leave it out"),
        ("data.root=nowhere", "data.root=nowhere is for other methods than methods=[saliency]; leave it out"),
        ("device=tpu", "device=tpu cannot be used here"),
    ],
)
def test_what_is_wrong_is_named_with_the_way_out(
    grid: tuple[Path, Path], tmp_path: Path, given: str, words: str
) -> None:
    model, image = grid
    usual = ["window=[0,0,64,64]", "methods=[saliency]", "sanity=false"]
    kept = [each for each in usual if each.partition("=")[0] != given.partition("=")[0]]
    done = call("explain", f"model={model}", f"image={image}", f"output={tmp_path / 'out'}", *kept, given)
    assert done.code == 2 and words in done.log and "runtime." not in done.log
    assert not (tmp_path / "out").exists()


def test_a_channel_or_folder_that_is_not_there_is_told_before_the_work(grid: tuple[Path, Path], tmp_path: Path) -> None:
    model, image = grid
    usual = (f"model={model}", f"image={image}", f"output={tmp_path / 'out'}", "window=[0,0,64,64]", "sanity=false")
    for methods, given, words in (
        ("saliency,maximise", "channel=neck.layer_blocks.0:99", "neck.layer_blocks.0 has 16 channels"),
        ("saliency,features", f"data.root={tmp_path / 'nowhere'}", "no such folder"),
    ):
        done = call("explain", *usual, f"methods=[{methods}]", given)
        assert done.code == 2 and words in done.log and "Saliency of" not in done.log


def test_captum_that_is_missing_is_named(
    grid: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detect.assembly.explaining.asking_network.find_spec", lambda name: None)
    done = call("explain", f"model={grid[0]}", f"image={grid[1]}", f"output={tmp_path / 'out'}")
    assert done.code == 2 and "need the package captum: pip install 'detect[explain]'" in done.log
    assert not (tmp_path / "out").exists()


def test_a_folder_with_results_is_replaced_on_demand_alone(grid: tuple[Path, Path], tmp_path: Path) -> None:
    model, image = grid
    out = tmp_path / "out"
    given = (f"model={model}", f"image={image}", f"output={out}", "window=[0,0,64,64]", "sanity=false")
    assert call("explain", *given, "methods=[gradcam]").code == 0
    (out / "mine.txt").write_text("kept")
    done = call("explain", *given, "methods=[saliency]")
    assert done.code == 2 and "overwrite=true" in done.log
    assert call("explain", *given, "methods=[saliency]", "overwrite=true").code == 0
    assert {name.partition("_")[0] for name in pictures(out)} == {"photograph.png", "saliency"}
    assert (out / "mine.txt").exists()


@pytest.mark.parametrize("side", [40, 61, 400])
def test_the_command_of_a_picture_makes_it_again_of_objects_cut_at_edges(
    grid: tuple[Path, Path], tmp_path: Path, side: int
) -> None:
    """Of each object that an edge of the photograph cuts: windows about it, smaller than its box too, or of all."""
    model, image = grid
    found = Detector.load(model, device="cpu", runtime="torch").count(image).detections
    boxes = found.boxes_xyxy[np.argsort(-found.score, kind="stable")]
    cut = np.flatnonzero((boxes[:, :2] <= 0).any(axis=1) | (boxes[:, 2:] >= (200, 160)).any(axis=1))
    assert len(cut) >= 2
    for number in (int(cut[0]) + 1, int(cut[-1]) + 1):
        out = tmp_path / str(number)
        given = (f"model={model}", f"image={image}", f"output={out}", f"detection={number}", f"side={side}")
        assert call("explain", *given, "methods=[saliency,gradcam]", "sanity=false").code == 0
        again = json.loads((out / "explain.json").read_text())["again"]
        for method in ("saliency", "gradcam"):
            done = call("explain", *shlex.split(again[method])[3:])
            assert done.code == 0, done.log
            made = Path(f"{out}-{method}")
            for name in pictures(made):
                assert (made / name).read_bytes() == (out / name).read_bytes(), (number, name)


def test_the_strongest_patches_of_a_channel_come_from_the_data(grid: tuple[Path, Path], tmp_path: Path) -> None:
    model, image = grid
    (tmp_path / "data").mkdir()
    for number in range(2):
        write(tmp_path / "data" / f"{number}.png", 300, 280, seed=number)
    (tmp_path / "data" / "broken.png").write_bytes(b"no image")
    given = (f"model={model}", f"image={image}", f"output={tmp_path / 'out'}", "window=[0,0,64,64]", "sanity=false")
    chosen = ("methods=[features]", "channel=neck.layer_blocks.0:3", f"data.root={tmp_path / 'data'}", "data.windows=6")
    done = call("explain", *given, *chosen)
    assert done.code == 0, done.log
    assert "strongest_patches.png" in pictures(tmp_path / "out")


def test_the_python_face_explains_what_the_command_does(grid: tuple[Path, Path]) -> None:
    model, image = grid
    detector = Detector.load(model, device="cpu", runtime="torch")
    made = detector.explain(image, window=(16, 24, 96, 120), methods=["gradcam"])
    assert made.map("gradcam").shape == (96, 120) and made.map("gradcam").max() > 0
    pixels = np.asarray(Image.open(image))
    same = detector.explain(pixels, window=(16, 24, 96, 120), methods=["gradcam"])
    np.testing.assert_array_equal(made.map("gradcam"), same.map("gradcam"))
    assert set(made.scores) >= {"objectness"} and made.draw("gradcam").size == (480, 384)
    with pytest.raises(KeyError, match="there are gradcam of objectness"):
        made.map("occlusion")
    with pytest.raises(ValueError, match="methods must be of saliency"):
        detector.explain(image, window=(16, 24, 96, 120), methods=["lime"])


def test_a_resampled_model_takes_windows_in_pixels_of_the_file(grid: tuple[Path, Path], tmp_path: Path) -> None:
    from detect.imagery.resolution import Resolution

    net, card = lively_grid(deepest=32)
    path = tmp_path / "half.safetensors"
    save_model(path, net, replace(card, halo_auto=32, resolution=Resolution(scale=2.0)))
    made = Detector.load(path, device="cpu", runtime="torch").explain(
        grid[1], window=(16, 24, 48, 60), methods=["saliency"]
    )
    assert (made.window.row, made.window.col, made.window.height, made.window.width) == (16, 24, 48, 60)
    assert made.map("saliency").shape == (96, 120)
