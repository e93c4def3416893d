import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from detect.nets import modelfile
from detect.nets.card import ModelFileError
from detect.nets.heads.grid import GridDetector
from detect.nets.heads.patch import PatchClassifier
from detect.nets.heads.specs import GridHead, PatchHead
from detect.nets.modelfile import build_net, build_pretrained, load_model, save_model
from detect.nets.net_spec import BackboneSpec, NetSpec
from tests.commands import Called
from tests.conftest import plant, scatter
from tests.grids import lively_grid
from tests.nets.headers import CARD, OLD_GRID, OLD_PATCH


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
    assert build_net(CARD).head.out_channels == 3
    assert build_net(replace(CARD, head=PatchHead(48, None))).head.out_channels == 2


def test_the_card_s_normalisation_goes_before_that_of_the_weights() -> None:
    """The bundled weights bring (x - 127) / 128; an empty card takes it, a card with its own keeps its own."""
    lite = replace(
        CARD, backbone=BackboneSpec("tf_efficientnet_lite0", 16), bands=(1, 2, 3), offset=(0.0,) * 3, scale=(1.0,) * 3
    )
    empty = build_pretrained(replace(lite, offset=(), scale=()), "bundled", dropout=0.0, drop_path=0.0)
    own = build_pretrained(
        replace(lite, offset=(1.0, 2.0, 3.0), scale=(4.0, 5.0, 6.0)), "bundled", dropout=0.0, drop_path=0.0
    )
    assert (empty.offset.flatten().tolist(), empty.scale.flatten().tolist()) == ([127.0] * 3, [128.0] * 3)
    assert (own.offset.flatten().tolist(), own.scale.flatten().tolist()) == ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])


def test_the_header_needs_no_part_of_this_program(path: Path) -> None:
    header = header_of(path)
    assert header["format"] == "detect/4"
    assert (header["classes"], header["head"]["patch_size"]) == (["cow", "Trøndersau"], 48)
    assert header["backbone"]["stride"] == 16


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
    with pytest.raises(ModelFileError, match=r"model\.safetensors: .*head\.bias"):
        save_model(path, net, CARD)
    assert path.read_bytes() == before and len(list(path.parent.iterdir())) == 1


def test_files_that_are_no_model(tmp_path: Path) -> None:
    missing, text, empty = (tmp_path / name for name in ("missing.safetensors", "a.txt", "empty.safetensors"))
    text.write_text("seven words that are not a model")
    empty.touch()
    with pytest.raises(ModelFileError, match=r"missing\.safetensors: no such"):
        load_model(missing)
    with pytest.raises(ModelFileError, match=rf"{tmp_path.name}: no such"):
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
    with pytest.raises(ModelFileError, match=r"a\.safetensors: .*header.*net\.weights="):
        load_model(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"format": "detect/99"}, "detect/99"),
        ({"colour": "red"}, "colour"),
        ({"backbone": None}, "header cannot be read"),
        ({"head": {"name": "density", "patch_size": 48, "background": "ground"}}, "density"),
        ({"head": {"name": "patch", "patch_size": 50, "background": "ground"}}, r"patch_size.* 16, got 50"),
        ({"backbone": {"name": "nothing", "stride": 16, "stages": None, "bands": 4}}, r"net\.backbone=nothing"),
        ({"resolution": {"scale": 0, "gsd": None}}, r"data\.scale.*got 0"),
    ],
)
def test_headers_that_cannot_be_used_are_an_error_of_their_file(path: Path, change: dict, names: str) -> None:
    rewrite(path, {**header_of(path), **change})
    with pytest.raises(ModelFileError, match=rf"(?s)model\.safetensors: .*{names}"):
        load_model(path)


@pytest.mark.parametrize("header", ["{", "[]", "3", "{}"])
def test_headers_that_are_no_header(path: Path, header: str) -> None:
    rewrite(path, header)
    with pytest.raises(ModelFileError, match=r"model\.safetensors: the header"):
        load_model(path)


@pytest.mark.parametrize("entry", ["classes", "head", "backbone", "offset"])
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


@pytest.mark.parametrize(
    "change",
    [
        {"head": {"name": "grid", "deepest": 32, "width": 4000, "slots": 64, "object_size": 24.0, "typical_size": 24}},
        {"backbone": {"name": "resnetv2_152x4_bit", "stride": 8, "stages": None, "bands": 3}},
        {"classes": [f"c{i}" for i in range(60_000)]},
    ],
)
def test_a_header_of_another_network_than_the_tensors_is_refused_before_memory_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict
) -> None:
    """Gigabytes, that is: what is built to be compared stands on torch's `meta` device alone."""
    net, card = lively_grid(24.0, 16, 1)
    path = tmp_path / "model.safetensors"
    save_model(path, net, card)
    rewrite(path, {**header_of(path), **change})
    built: list[set[str]] = []
    real = modelfile.build_net

    def build(spec: NetSpec) -> modelfile.Net:
        made = real(spec)
        built.append({each.device.type for each in (*made.parameters(), *made.buffers())})
        return made

    monkeypatch.setattr(modelfile, "build_net", build)
    with pytest.raises(ModelFileError, match=r"model\.safetensors: .*(shape|keys)"):
        load_model(path)
    assert built == [{"meta"}]


@pytest.mark.parametrize("size", [0, (32 << 20) + 1, 1 << 40, (1 << 64) - 1])
def test_a_file_whose_header_claims_any_size(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.safetensors").write_bytes(size.to_bytes(8, "little") + b"{}")
    with pytest.raises(ModelFileError, match=r"a\.safetensors: not a model file"):
        load_model(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("head.bias", lambda value: value.mul(float("nan")), r"not finite.*head\.bias"),
        ("head.weight", lambda value: value.to(torch.float64).add(1e300), r"not finite.*head\.weight"),
        ("head.bias", lambda value: value.to(torch.int64), r"head\.bias holds whole numbers"),
        ("head.bias", lambda value: value.to(torch.bool), r"head\.bias is of kind BOOL"),
        ("head.bias", lambda value: value[None], r"head\.bias is of shape \[1, 3\]"),
        ("scale", lambda value: value.mul(0), "scale.*positive"),
        ("backbone.body.model.bn1.running_var", lambda value: value.sub(1e9), "bn1.running_var has variances below 0"),
    ],
)
def test_tensors_that_cannot_be_computed_with(
    path: Path, name: str, change: Callable[[torch.Tensor], torch.Tensor], said: str
) -> None:
    """A NaN makes whole maps NaN, in which nothing is found: no objects would be told, and no error."""
    rewrite(path, **{name: change(load_file(path)[name])})
    with pytest.raises(ModelFileError, match=rf"model\.safetensors: .*{said}"):
        load_model(path)


def test_weights_of_half_the_bits_are_taken(path: Path, net: PatchClassifier) -> None:
    rewrite(path, **{"head.weight": load_file(path)["head.weight"].half()})
    weight = load_model(path)[0].state_dict()["head.weight"]
    assert weight.dtype == torch.float32 and torch.equal(weight, net.head.weight.half().float())


def test_a_record_too_long_for_readers_leaves_out_single_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, net: PatchClassifier
) -> None:
    """At the end of a training, so it must not be an error; `scores.json` has them."""
    monkeypatch.setattr(modelfile, "LONGEST", 2000)
    scores = {"f1": 0.5, "per_image": {f"{i}.png": {"true": 3} for i in range(1000)}}
    save_model(tmp_path / "a.safetensors", net, replace(CARD, training={"seed": 3, "validation": scores}))
    assert load_model(tmp_path / "a.safetensors")[1].training == {"seed": 3, "validation": {"f1": 0.5}}


@pytest.mark.parametrize("size", [None, 31.25])
def test_a_grid_head_and_its_card_come_back_bit_for_bit(tmp_path: Path, size: float | None) -> None:
    net, card = lively_grid(size, 16, 2)
    card = replace(card, separation=31.4 if size is None else 0.1 + 0.2, halo_auto=48, halo_error=1e-4)
    save_model(tmp_path / "model.safetensors", net, card)
    loaded, read = load_model(tmp_path / "model.safetensors")
    assert read == card and isinstance(loaded, GridDetector) and not loaded.training
    assert (read.head.boxes, read.align, read.outputs) == (size is not None, 16, ("a", "b"))
    assert (loaded.stride, loaded.align, loaded.spec) == (8, 16, GridHead(16, 16, 2, size, 24))
    pixels = torch.randint(0, 256, (1, 3, 64, 96))
    with torch.inference_mode():
        assert torch.equal(loaded(pixels), net(pixels))


@pytest.mark.parametrize("deepest", [64, 24])
def test_a_grid_head_whose_pyramid_cannot_be_had(tmp_path: Path, deepest: int) -> None:
    net, card = lively_grid(24.0, 16, 2)
    path = tmp_path / "model.safetensors"
    save_model(path, net, card)
    header = header_of(path)
    rewrite(path, {**header, "head": {**header["head"], "deepest": deepest}})
    with pytest.raises(ModelFileError, match=rf"model\.safetensors: .*net\.deepest={deepest}"):
        load_model(path)


def test_a_model_of_the_first_format_of_headers_is_read(path: Path, net: PatchClassifier) -> None:
    """Whatever the header says, the weights have the same names."""
    rewrite(path, OLD_PATCH)
    loaded, card = load_model(path)
    assert card == CARD
    assert all(torch.equal(loaded.state_dict()[name], value) for name, value in net.state_dict().items())
    rewrite(path, {**OLD_PATCH, "kind": "density"})
    with pytest.raises(ModelFileError, match=r"model\.safetensors: .*density"):
        load_model(path)
    rewrite(path, OLD_GRID)
    with pytest.raises(ModelFileError, match=r"(?s)model\.safetensors: .*Missing key"):
        load_model(path)


OLD_MODELS = Path(__file__).parent / "old_models"
"""Model files and tables that the version before `detect/2` wrote."""


@pytest.mark.parametrize("name", ["patch", "grid"])
def test_a_model_file_of_an_earlier_version_finds_what_it_found_then(
    tmp_path: Path, run: Callable[..., Called], name: str
) -> None:
    """On the four planted images, byte by byte; LeNet-5 at a stride of 2, trained on two of them."""
    for i in range(4):
        plant(tmp_path / "images" / f"{i}.png", scatter(i, 10), i)
    done = run(
        "predict",
        f"model={OLD_MODELS / name}.safetensors",
        f"images={tmp_path / 'images'}",
        f"output={tmp_path / 'out'}",
        "runtime=torch",
        "runtime.device=cpu",
    )
    assert done.code == 0, done.log
    assert (tmp_path / "out/detections.csv").read_bytes() == (OLD_MODELS / f"{name}.csv").read_bytes()
    assert load_model(OLD_MODELS / f"{name}.safetensors")[1].head.name == name
