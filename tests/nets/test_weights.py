from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from sklearn.datasets import load_sample_image
from timm.models import adapt_input_conv
from torch import nn
from torch.nn import functional as F

from detect.nets.backbones import build_backbone
from detect.nets.net_spec import BackboneSpec
from detect.nets.weights import WeightsError, pretrained_state

LITE, TINY = "tf_efficientnet_lite0", "test_resnet"


@pytest.fixture(scope="module")
def tiny_state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return timm.create_model(TINY).state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_bundled_weights_know_a_daisy_from_999_other_things() -> None:
    """scikit-learn's photograph of a flower; the right weights under the wrong names would not get there by chance."""
    net = timm.create_model(LITE).eval()
    net.load_state_dict(pretrained_state(LITE, "bundled"))
    flower = torch.from_numpy(load_sample_image("flower.jpg").copy()).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        best = int(net((F.interpolate(flower, (224, 224), mode="area") - 127) / 128).argmax())
    assert "daisy" in timm.data.ImageNetInfo().index_to_description(best)


def test_a_backbone_takes_the_bundled_weights() -> None:
    state = pretrained_state(LITE, "bundled")
    backbone = build_backbone(BackboneSpec(LITE, 16), "bundled").eval()
    own = backbone.body.model.state_dict()
    assert len(own) > 100 and all(torch.equal(value, state[name]) for name, value in own.items())
    assert (backbone.offset, backbone.scale) == ((127.0,) * 3, (128.0,) * 3)
    pixels = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        features = backbone(pixels)
        random = build_backbone(BackboneSpec(LITE, 16)).eval()(pixels)
    assert features.shape == random.shape == (1, 112, 4, 4)
    assert bool(features.isfinite().all()) and not torch.allclose(features, random)


def test_one_band_sees_what_three_equal_bands_would() -> None:
    """The first layer is linear: with r = g = b its three weights add up to that of the one grey band."""
    grey = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        one = build_backbone(BackboneSpec(LITE, 16, bands=1), "bundled").eval()(grey)
        three = build_backbone(BackboneSpec(LITE, 16), "bundled").eval()(grey.expand(1, 3, 64, 64))
    torch.testing.assert_close(one, three, rtol=1e-4, atol=1e-4)


def test_four_bands_repeat_the_first_weights_at_three_quarters() -> None:
    """Bands r, g, b, r at 3 / 4: four equal bands excite the layer as three did, on average."""
    four = build_backbone(BackboneSpec(LITE, 16, bands=4), "bundled")
    first = pretrained_state(LITE, "bundled")["conv_stem.weight"]
    torch.testing.assert_close(four.body.model.state_dict()["conv_stem.weight"], first[:, [0, 1, 2, 0]] * 3 / 4)
    assert len(four.offset) == len(four.scale) == 4


@pytest.mark.parametrize("bands", [1, 4, 5, 12])
def test_the_bundled_first_layer_is_adapted_to_any_number_of_bands(bands: int) -> None:
    """Bands of one value each excite it as three such bands of a photograph do, on average over the filters' bands."""
    first = pretrained_state(LITE, "bundled")["conv_stem.weight"]
    adapted = build_backbone(BackboneSpec(LITE, 16, bands=bands), "bundled").body.model.state_dict()["conv_stem.weight"]
    whole, rest = divmod(bands, 3)
    wanted = first.sum(dim=1) if bands == 1 else 3 / bands * (whole * first.sum(dim=1) + first[:, :rest].sum(dim=1))
    torch.testing.assert_close(adapted.sum(dim=1), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bands", [1, 2, 5, 12])
@pytest.mark.parametrize(("name", "stride"), [("torchvision/alexnet", 16), ("torchvision/googlenet", 8)])
def test_torchvision_s_first_layers_are_adapted_too(tmp_path: Path, name: str, stride: int, bands: int) -> None:
    from torchvision.models import get_model

    torch.manual_seed(0)
    options = {"aux_logits": False, "init_weights": False} if "google" in name else {}
    state = get_model(name.removeprefix("torchvision/"), weights=None, **options).state_dict()
    save_file(state, tmp_path / "w.safetensors")
    net = build_backbone(BackboneSpec(name, stride, bands=bands), str(tmp_path / "w.safetensors"))
    place, whole = next(iter(state.items()))
    adapted = next(value for key, value in net.body.model.state_dict().items() if value.shape[2:] == whole.shape[2:])
    assert adapted.shape[1] == bands and len(net.offset) == bands
    torch.testing.assert_close(adapted, adapt_input_conv(bands, whole.clone()), msg=place)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_a_file_of_a_state_dict(tmp_path: Path, tiny_state: dict, suffix: str, key: str | None) -> None:
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(tiny_state, path)
    else:
        torch.save(tiny_state if key is None else {key: tiny_state, "epoch": 3}, path)
    backbone = build_backbone(BackboneSpec(TINY, 32), str(path))
    assert same(backbone.body.model.state_dict(), {n: v for n, v in tiny_state.items() if not n.startswith("fc.")})
    mean, std = np.array(timm.get_pretrained_cfg(TINY).mean), np.array(timm.get_pretrained_cfg(TINY).std)
    np.testing.assert_allclose((backbone.offset, backbone.scale), (255 * mean, 255 * std))


def test_the_hub_s_weights_and_their_normalisation(monkeypatch: pytest.MonkeyPatch) -> None:
    """ResNets of timm were trained on pixels in [0, 1] less (0.485, 0.456, 0.406) over (0.229, 0.224, 0.225)."""
    create, made = timm.create_model, []

    def hub(name: str, *, pretrained: bool = False, **options: object) -> nn.Module:
        net = create(name, **options)
        if pretrained:
            made.append(net.state_dict())
        return net

    monkeypatch.setattr(timm, "create_model", hub)
    backbone = build_backbone(BackboneSpec("resnet10t", 8), "hub")
    own = backbone.body.model.state_dict()
    assert len(made) == 1 and all(torch.equal(value, made[0][name]) for name, value in own.items())
    np.testing.assert_allclose(backbone.offset, (123.675, 116.28, 103.53))
    np.testing.assert_allclose(backbone.scale, (58.395, 57.12, 57.375))


@pytest.mark.parametrize(
    ("name", "offset", "scale"),
    [
        ("torchvision/alexnet", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
        ("torchvision/googlenet", (127.5,) * 3, (127.5,) * 3),
    ],
)
def test_torchvision_s_weights_and_their_normalisation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, offset: tuple[float, ...], scale: tuple[float, ...]
) -> None:
    """As of timm's; those of GoogLeNet were made for pixels in [-1, 1], and bring auxiliary heads, which are left."""
    torch.manual_seed(0)
    options = {"init_weights": False} if "google" in name else {}
    whole = torchvision.models.get_model(name.removeprefix("torchvision/"), **options)
    asked = []

    real = torchvision.models.get_model

    def get_model(name: str, weights: str | None, **options: object) -> nn.Module:
        if weights is None:
            return real(name, weights=None, **options)
        asked.append((name, weights))
        return whole

    monkeypatch.setattr(torchvision.models, "get_model", get_model)
    torch.save(whole.state_dict(), tmp_path / "whole.pth")
    for source in ("hub", str(tmp_path / "whole.pth")):
        backbone = build_backbone(BackboneSpec(name, 8), source)
        own, given = backbone.body.model.state_dict(), whole.state_dict()
        assert own and all(torch.equal(value, given[name]) for name, value in own.items())
        np.testing.assert_allclose(backbone.offset, offset)
        np.testing.assert_allclose(backbone.scale, scale)
    assert asked == [(name.removeprefix("torchvision/"), "DEFAULT")]


def test_lenet_learns_from_scratch() -> None:
    with pytest.raises(WeightsError, match=r"lenet5.*net\.weights=none"):
        build_backbone(BackboneSpec("lenet5", 4), "hub")
    with pytest.raises(WeightsError, match=r"net\.backbone=lenet5, .*none"):
        build_backbone(BackboneSpec("lenet5", 4), "bundled")


def test_without_a_hub_there_is_one_error_with_three_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model

    def unreachable(name: str, *, pretrained: bool = False, **options: object) -> nn.Module:
        if pretrained:
            raise ConnectionError("no route to host")
        return create(name, **options)

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(WeightsError) as raised:
        build_backbone(BackboneSpec(TINY, 16), "hub")
    message = str(raised.value)
    ways = ("no route to host", TINY, "net.weights=/path", "net.weights=bundled", "net.weights=none")
    assert all(way in message for way in ways)


class Code:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"weight": Code(tmp_path / "ran")}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match=r"evil\.pth: .*read safely"):
        build_backbone(BackboneSpec(TINY, 16), str(tmp_path / "evil.pth"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.safetensors", b"not weights", "a.safetensors: not a safetensors file"),
        ("a.pth", b"not weights", "a.pth: not a state dict that can be read safely"),
        ("a.pth", b"", "a.pth: not a state dict that can be read safely"),
    ],
)
def test_files_that_hold_no_weights(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WeightsError, match=message):
        build_backbone(BackboneSpec(TINY, 16), str(tmp_path / name))


def test_weights_that_do_not_fit(tmp_path: Path, tiny_state: dict) -> None:
    path = tmp_path / "w.pth"
    torch.save({"conv1.weight": 3}, path)
    with pytest.raises(WeightsError, match=r"w\.pth: .*state dict"):
        build_backbone(BackboneSpec(TINY, 16), str(path))
    torch.save({name: value for name, value in tiny_state.items() if not name.startswith("bn1.")}, path)
    with pytest.raises(WeightsError, match=r" 5 tensors of test_resnet.*bn1"):
        build_backbone(BackboneSpec(TINY, 16), str(path))
    torch.save({**tiny_state, "bn1.bias": torch.zeros(7)}, path)
    with pytest.raises(WeightsError, match=r"test_resnet.*bn1\.bias"):
        build_backbone(BackboneSpec(TINY, 16), str(path))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("conv1.0.weight", torch.zeros(1).expand(10**6, 3, 10**3, 10**3), r"conv1\.0\.weight has another shape"),
        ("bn1.bias", torch.zeros(1).expand(10**13), r"bn1\.bias has another shape"),
        ("bn1.running_var", "negative", r"bn1\.running_var has variances below 0"),
        ("bn1.bias", "nan", r"not finite: bn1\.bias"),
        ("bn1.bias", "whole", r"bn1\.bias is of kind torch\.int64"),
        ("bn1.bias", "meta", "cannot be used"),
    ],
)
@pytest.mark.parametrize("bands", [3, 4])
def test_weights_that_claim_any_size_or_cannot_be_computed_with(
    tmp_path: Path, tiny_state: dict, name: str, value: torch.Tensor | str, said: str, bands: int
) -> None:
    """An expanded tensor is some bytes in the file, and terabytes where it is copied."""
    own = tiny_state[name]
    made = {"negative": own - 9, "nan": own * float("nan"), "whole": own.long(), "meta": own.to("meta")}
    torch.save({**tiny_state, name: made[value] if isinstance(value, str) else value}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=said):
        build_backbone(BackboneSpec(TINY, 16, bands=bands), str(tmp_path / "w.pth"))


def test_a_file_of_torch_before_its_zip_files_is_read(tmp_path: Path, tiny_state: dict) -> None:
    torch.save(tiny_state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    backbone = build_backbone(BackboneSpec(TINY, 32), str(tmp_path / "old.pth"))
    assert same(backbone.body.model.state_dict(), {n: v for n, v in tiny_state.items() if not n.startswith("fc.")})


def test_names_that_are_no_weights() -> None:
    with pytest.raises(WeightsError, match=r"net\.weights=imagenet: .*bundled, hub, none"):
        build_backbone(BackboneSpec(TINY, 16), "imagenet")
    with pytest.raises(WeightsError, match=r"net\.backbone=test_resnet.*lite0"):
        build_backbone(BackboneSpec(TINY, 16), "bundled")
