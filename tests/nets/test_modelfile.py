import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from detect.imagery.resolution import Resolution
from detect.nets.card import BackboneSpec, GridSpec, ModelCard, ModelFileError
from detect.nets.heads.grid import GridDetector
from detect.nets.heads.patch import PatchClassifier
from detect.nets.modelfile import build_net, load_model, save_model
from tests.grids import grid_card, lively_grid

CARD = ModelCard(
    kind="patch",
    backbone=BackboneSpec("test_resnet", 16, 5, 4),
    classes=("cow", "Trøndersau"),
    background="ground",
    bands=(4, 3, 2, 1),
    dtype="uint16",
    offset=(0.1, 1 / 3, 1e-7, 127.0),
    scale=(1.0, 2.0, 3.0, 1e6),
    patch_size=48,
    halo=96,
    threshold=0.1 + 0.2,
    radius=31.4,
    calibration={"slope": 1.5, "offset": -0.25},
    training={"seed": 3, "notes": ["a", "b"], "validation": {"f1": None, "radius": 30.0}},
)


@pytest.fixture
def net() -> PatchClassifier:
    torch.manual_seed(1)
    net = build_net(CARD)
    for value in net.buffers():
        if value.is_floating_point():
            value.add_(torch.rand_like(value))
    net.set_normalisation(CARD.offset, CARD.scale)
    return net


@pytest.fixture
def path(tmp_path: Path, net: PatchClassifier) -> Path:
    save_model(tmp_path / "run" / "model.safetensors", net, CARD)
    return tmp_path / "run" / "model.safetensors"


def rewrite(path: Path, header: dict | str | None = None, **tensors: torch.Tensor | None) -> None:
    """Change a model file's header or tensors behind the program's back."""
    with safe_open(path, framework="pt") as source:
        metadata = source.metadata()
    state = {**load_file(path), **tensors}
    if header is not None:
        metadata = {"detect": header if isinstance(header, str) else json.dumps(header)}
    save_file({name: value for name, value in state.items() if value is not None}, path, metadata)


def header_of(path: Path) -> dict:
    with safe_open(path, framework="pt") as source:
        return json.loads(source.metadata()["detect"])


def test_weights_and_card_come_back_bit_for_bit(path: Path, net: PatchClassifier) -> None:
    loaded, card = load_model(path)
    assert card == CARD and card.outputs == ("ground", "cow", "Trøndersau")
    state = loaded.state_dict()
    assert state.keys() == net.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())
    assert not loaded.training and [entry.name for entry in path.parent.iterdir()] == [path.name]
    pixels = torch.randint(0, 60000, (2, 4, 48, 48)).float()
    with torch.inference_mode():
        assert torch.equal(loaded.classify(pixels), net.eval().classify(pixels))


def test_a_net_in_another_memory_format_comes_back_too(tmp_path: Path, net: PatchClassifier) -> None:
    save_model(tmp_path / "a.safetensors", net.to(memory_format=torch.channels_last), CARD)
    state = load_model(tmp_path / "a.safetensors")[0].state_dict()
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())


def test_a_classifier_of_patches_alone_has_no_background() -> None:
    card = replace(CARD, background=None, halo=None, calibration=None)
    assert card.outputs == ("cow", "Trøndersau")
    assert ModelCard.from_json(card.to_json()) == card
    assert build_net(card).head.out_channels == 2


def test_the_card_s_normalisation_goes_before_that_of_the_weights() -> None:
    """The bundled weights bring (x - 127) / 128; an empty card takes it, a card with its own keeps its own."""
    lite = replace(CARD, backbone=BackboneSpec(), bands=(1, 2, 3))
    empty = build_net(replace(lite, offset=(), scale=()), "bundled")
    own = build_net(replace(lite, offset=(1.0, 2.0, 3.0), scale=(4.0, 5.0, 6.0)), "bundled")
    assert (empty.offset.flatten().tolist(), empty.scale.flatten().tolist()) == ([127.0] * 3, [128.0] * 3)
    assert (own.offset.flatten().tolist(), own.scale.flatten().tolist()) == ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])


def test_the_header_needs_no_part_of_this_program(path: Path) -> None:
    header = header_of(path)
    assert header["format"] == "detect/1"
    assert (header["classes"], header["patch_size"], header["backbone"]["stride"]) == (["cow", "Trøndersau"], 48, 16)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_permissions_follow_the_umask(umask: None, tmp_path: Path, net: PatchClassifier) -> None:
    """0o666 without the bits of 0o027 is 0o640, as for any file that the user makes."""
    save_model(tmp_path / "a.safetensors", net, CARD)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_net_that_diverged_is_not_saved_and_the_old_file_stays(path: Path, net: PatchClassifier, bad: float) -> None:
    before = path.read_bytes()
    with torch.no_grad():
        net.head.bias[0] = bad
    with pytest.raises(ModelFileError, match=r"model\.safetensors: the weights are not finite \(such as head.bias\)"):
        save_model(path, net, CARD)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def test_files_that_are_no_model(tmp_path: Path) -> None:
    missing, text, empty = (tmp_path / name for name in ("missing.safetensors", "a.txt", "empty.safetensors"))
    text.write_text("seven words that are not a model")
    empty.touch()
    with pytest.raises(ModelFileError, match=r"missing\.safetensors: no such model file"):
        load_model(missing)
    with pytest.raises(ModelFileError, match="no such model file"):
        load_model(tmp_path)
    for path in (text, empty):
        with pytest.raises(ModelFileError, match=f"{path.name}: not a model file"):
            load_model(path)


def test_a_model_cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match=r"model\.safetensors: not a model file"):
        load_model(path)


def test_weights_of_another_program(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "a.safetensors", {"format": "pt"})
    with pytest.raises(ModelFileError, match=r"a\.safetensors: .*without the header of detect.train.*net\.weights="):
        load_model(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "detect/99"}, "not of format detect/1"),
        ({"format": None}, "not of format detect/1"),
        ({"colour": "red"}, r"unknown entries in the header: \['colour'\]"),
        ({"backbone": {"name": "test_resnet", "colour": "red"}}, "header cannot be read"),
        ({"backbone": None}, "header cannot be read"),
        ({"kind": "grid"}, "unknown kind of network 'grid'"),
        ({"patch_size": 50}, "patch_size must be a positive multiple"),
        ({"backbone": {"name": "nothing", "stride": 16, "stages": None, "bands": 4}}, "not a network of timm"),
    ],
)
def test_headers_that_cannot_be_used(path: Path, change: dict, message: str) -> None:
    rewrite(path, {**header_of(path), **change})
    with pytest.raises(ModelFileError, match=rf"(?s)model\.safetensors: .*{message}"):
        load_model(path)


@pytest.mark.parametrize("header", ["{", "[]", "3", "{}"])
def test_headers_that_are_no_header(path: Path, header: str) -> None:
    rewrite(path, header)
    with pytest.raises(ModelFileError, match=r"model\.safetensors: the header"):
        load_model(path)


@pytest.mark.parametrize("entry", ["classes", "patch_size", "backbone", "offset"])
def test_a_header_without_an_entry(path: Path, entry: str) -> None:
    header = header_of(path)
    del header[entry]
    rewrite(path, header)
    with pytest.raises(ModelFileError, match=rf"(?s)model\.safetensors: .*{entry}"):
        load_model(path)


@pytest.mark.parametrize("bias", [torch.zeros(2), None])
def test_tensors_that_do_not_fit(path: Path, bias: torch.Tensor | None) -> None:
    rewrite(path, **{"head.bias": bias})
    with pytest.raises(ModelFileError, match=r"(?s)model\.safetensors: .*head\.bias"):
        load_model(path)


@pytest.mark.parametrize("size", [None, 31.25])
def test_a_grid_head_and_its_card_come_back_bit_for_bit(tmp_path: Path, size: float | None) -> None:
    net, card = lively_grid(size, 16, 2)
    card = replace(card, nms_iou=None if size is None else 0.1 + 0.2, radius=31.4, halo_auto=48, halo_error=1e-4)
    save_model(tmp_path / "model.safetensors", net, card)
    loaded, read = load_model(tmp_path / "model.safetensors")
    assert read == card and isinstance(loaded, GridDetector) and not loaded.training
    assert (read.boxes, read.finds, read.align, read.outputs) == (size is not None, True, 16, ("a", "b"))
    assert (loaded.stride, loaded.align, loaded.spec) == (8, 16, GridSpec(16, 16, 2, size))
    pixels = torch.randint(0, 256, (1, 3, 64, 96))
    with torch.inference_mode():
        assert torch.equal(loaded(pixels), net(pixels))


def test_what_a_card_says_of_cells_and_tiles() -> None:
    """A grid's cell stands for its middle; its tiles begin where the deepest features do. A patch of 3 cells, too,
    stands for the middle of one, and its tiles begin on the stride."""
    grid = grid_card(24.0, stride=8, deepest=32)
    assert (grid.cell_offset, grid.align, grid.boxes, grid.finds) == (4.0, 32, True, True)
    assert not grid_card(None).boxes
    patch = replace(CARD, patch_size=48)
    assert (patch.cell_offset, patch.align, patch.boxes, patch.finds) == (8.0, 16, False, True)
    assert not replace(CARD, background=None).finds


def test_a_header_written_before_there_were_grids_is_read(path: Path) -> None:
    header = header_of(path)
    for entry in ("grid", "nms_iou"):
        del header[entry]
    rewrite(path, header)
    assert load_model(path)[1] == CARD


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": None}, "unknown kind of network 'grid', expected patch, or grid with its head"),
        ({"kind": "patch"}, "unknown kind of network 'patch'"),
        ({"grid": {"deepest": 16, "colour": "red"}}, "header cannot be read"),
        ({"grid": {"deepest": 64}}, "net.deepest=64"),
        ({"grid": {"deepest": 16, "slots": 0}}, "net.slots must be 1 or more"),
    ],
)
def test_headers_of_grids_that_cannot_be_used(tmp_path: Path, change: dict, message: str) -> None:
    net, card = lively_grid(24.0, 16, 2)
    path = tmp_path / "model.safetensors"
    save_model(path, net, card)
    rewrite(path, {**header_of(path), **change})
    with pytest.raises(ModelFileError, match=rf"(?s)model\.safetensors: .*{message}"):
        load_model(path)


def test_the_size_at_which_images_are_seen_comes_back(tmp_path: Path, net: PatchClassifier) -> None:
    for seen in ({"image_scale": 1 / 3}, {"gsd": 0.1}):
        card = replace(CARD, **seen)
        save_model(tmp_path / "a.safetensors", net, card)
        read = load_model(tmp_path / "a.safetensors")[1]
        assert read == card and read.resolution == Resolution(card.image_scale, card.gsd)


def test_a_header_written_before_images_were_resampled_takes_them_as_they_are(path: Path) -> None:
    header = header_of(path)
    for entry in ("image_scale", "gsd"):
        del header[entry]
    rewrite(path, header)
    read = load_model(path)[1]
    assert read == CARD and read.resolution == Resolution(1.0, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_scale": 0}, r"data\.scale must be in"),
        ({"gsd": -1}, r"data\.gsd must be a positive number"),
        ({"gsd": 1, "image_scale": 2}, r"leave data\.scale=2 out"),
        ({"image_scale": "half"}, "header cannot be read"),
    ],
)
def test_headers_whose_images_cannot_be_resampled(path: Path, change: dict, message: str) -> None:
    rewrite(path, {**header_of(path), **change})
    with pytest.raises(ModelFileError, match=rf"(?s)model\.safetensors: .*{message}"):
        load_model(path)
