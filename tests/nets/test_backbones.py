import pytest
import torch

from detect.nets.backbones import build_backbone, build_pyramid, parameters_of, stage_layers
from detect.nets.net_spec import BackboneSpec


@pytest.mark.parametrize(
    ("name", "stride", "stages", "bands"),
    [
        ("tf_efficientnet_lite0", 8, None, 3),
        ("tf_efficientnet_lite0", 16, 5, 3),
        ("test_resnet", 4, None, 1),
        ("test_resnet", 8, 4, 3),
        ("test_resnet", 32, None, 5),
        ("test_convnext", 16, None, 3),
    ],
)
def test_features_come_at_the_stride_asked_for(name: str, stride: int, stages: int | None, bands: int) -> None:
    backbone = build_backbone(BackboneSpec(name, stride, stages, bands)).eval()
    with torch.inference_mode():
        features = backbone(torch.rand(2, bands, 4 * stride, 5 * stride))
    assert features.shape == (2, backbone.channels, 4, 5)
    assert (backbone.stride, len(backbone.offset), len(backbone.scale)) == (stride, bands, bands)


def test_more_stages_make_a_larger_network_of_the_same_stride() -> None:
    shallow = build_backbone(BackboneSpec("test_resnet", 8))
    deep = build_backbone(BackboneSpec("test_resnet", 8, 5))
    assert parameters_of(deep)[1] > parameters_of(shallow)[1]
    assert deep.stride == shallow.stride


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "tf_efficientnet_light0"}, r"net\.backbone=tf_efficientnet_light0 .*near: .*tf_eff"),
        ({"name": "zzz"}, r"net\.backbone=zzz .*near: see timm\.list_models"),
        ({"stride": 3}, r"\[2, 4, 8, 16, 32\].*net\.stride=3"),
        ({"stride": 64}, r"net\.stride=64"),
        ({"stride": 8, "stages": 2}, r"net\.stages .*test_resnet .*8 .*\[3, 5\], got 2"),
        ({"stride": 8, "stages": 6}, r"net\.stages .*\[3, 5\], got 6"),
        ({"name": "test_maxvit", "stride": 8, "stages": 5}, r"test_maxvit .*net\.stages=null"),
    ],
)
def test_networks_that_cannot_be_had(spec: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_backbone(BackboneSpec(**{"name": "test_resnet", "stride": 16, **spec}))


def test_numbers_that_name_no_backbone() -> None:
    with pytest.raises(ValueError, match=r"net\.stages .*got 0"):
        BackboneSpec("test_resnet", 16, stages=0)
    with pytest.raises(ValueError, match=r"band.*got 0"):
        BackboneSpec("test_resnet", 16, bands=0)


@pytest.mark.parametrize(
    ("name", "stride", "deepest", "strides"),
    [
        ("test_resnet", 8, 32, (8, 16, 32)),
        ("test_resnet", 4, 8, (4, 8)),
        ("test_resnet", 16, 16, (16,)),
        ("test_convnext", 4, 16, (4, 8, 16)),
    ],
)
def test_a_pyramid_has_the_features_of_every_stride_between(
    name: str, stride: int, deepest: int, strides: tuple[int, ...]
) -> None:
    """Each level has the channels of a backbone cut at that stride."""
    pyramid = build_pyramid(BackboneSpec(name, stride), deepest).eval()
    with torch.inference_mode():
        levels = pyramid(torch.rand(2, 3, 2 * deepest, 3 * deepest))
    assert pyramid.strides == strides
    for level, channels, at in zip(levels, pyramid.channels, strides, strict=True):
        assert level.shape == (2, channels, 2 * deepest // at, 3 * deepest // at)
        assert channels == build_backbone(BackboneSpec(name, at)).channels


def test_a_pyramid_takes_the_weights_that_a_backbone_takes() -> None:
    """The bundled ones: the features of each level are those of the backbone cut there."""
    spec = BackboneSpec("tf_efficientnet_lite0", 8)
    pyramid = build_pyramid(spec, 16, "bundled").eval()
    backbone = build_backbone(spec, "bundled").eval()
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(pyramid(pixels)[0], backbone(pixels))
    assert (pyramid.offset, pyramid.scale) == (backbone.offset, backbone.scale)


@pytest.mark.parametrize(("stride", "deepest"), [(8, 64), (8, 24), (16, 8), (3, 12), (8, 4), (1, 8)])
def test_pyramids_that_cannot_be_had(stride: int, deepest: int) -> None:
    message = rf"\[2, 4, 8, 16, 32\].*net\.stride={stride} .*net\.deepest={deepest} "
    with pytest.raises(ValueError, match=message):
        build_pyramid(BackboneSpec("test_resnet", stride), deepest)


def test_a_stage_holds_what_the_features_of_its_stride_rest_on() -> None:
    """Noise on the stages up to a stride changes the features of that stride; noise on the later ones does not."""
    backbone = build_backbone(BackboneSpec("test_resnet", 32)).eval()
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def features(stride: int) -> torch.Tensor:
        cut = build_backbone(BackboneSpec("test_resnet", stride)).eval()
        cut.body.model.load_state_dict(backbone.body.model.state_dict(), strict=False)
        with torch.inference_mode():
            return cut(pixels)

    before, deep = features(4), features(32)
    stages = stage_layers(backbone)
    for stride, layers in stages:
        for parameter in (each for layer in layers for each in layer.parameters() if stride > 4):
            torch.nn.init.normal_(parameter)
    torch.testing.assert_close(features(4), before)
    assert not torch.allclose(features(32), deep)
    for parameter in (each for stride, layers in stages for layer in layers for each in layer.parameters()):
        torch.nn.init.normal_(parameter)
    assert not torch.allclose(features(4), before)


@pytest.mark.parametrize(
    "name", ["test_resnet", "tf_efficientnet_lite0", "densenet121", "test_convnext", "legacy_xception", "lenet5"]
)
def test_stages_hold_every_parameter_once(name: str) -> None:
    stride = 4 if name == "lenet5" else 8
    backbone = build_backbone(BackboneSpec(name, stride))
    stages = stage_layers(backbone)
    found = [id(each) for _, layers in stages for layer in layers for each in layer.parameters()]
    assert sorted(found) == sorted(id(each) for each in backbone.parameters())
    assert [stride for stride, _ in stages] == sorted({stride for stride, _ in stages})
    assert stages[-1][0] == stride


def test_parameters_are_counted() -> None:
    """A layer of 3 x 2 weights and 2 biases; frozen biases do not learn."""
    layer = torch.nn.Linear(3, 2)
    layer.bias.requires_grad_(False)
    assert parameters_of(layer) == (6, 8)
