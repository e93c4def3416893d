import pytest
import torch

from detect.nets import build_backbone
from detect.nets.backbones import BackboneSpec, parameters_of


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
        ({"name": "tf_efficientnet_light0"}, "tf_efficientnet_light0 is not a network of timm; near: .*tf_eff"),
        ({"name": "zzz"}, "zzz is not a network of timm; near: see timm.list_models"),
        ({"stride": 3}, r"features at strides \[2, 4, 8, 16, 32\], not at net.stride=3"),
        ({"stride": 64}, "not at net.stride=64"),
        ({"stride": 8, "stages": 2}, r"net.stages of test_resnet at stride 8 must be in \[3, 5\], got 2"),
        ({"stride": 8, "stages": 6}, r"must be in \[3, 5\], got 6"),
        ({"name": "test_maxvit", "stride": 8, "stages": 5}, "test_maxvit has no dilated form .*use net.stages=null"),
    ],
)
def test_networks_that_cannot_be_had(spec: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_backbone(BackboneSpec(**{"name": "test_resnet", **spec}))


def test_numbers_that_name_no_backbone() -> None:
    with pytest.raises(ValueError, match=r"net\.stages must be 1 or more, or null, got 0"):
        BackboneSpec(stages=0)
    with pytest.raises(ValueError, match="1 band or more, got 0"):
        BackboneSpec(bands=0)


def test_parameters_are_counted() -> None:
    """A layer of 3 x 2 weights and 2 biases; frozen biases do not learn."""
    layer = torch.nn.Linear(3, 2)
    layer.bias.requires_grad_(False)
    assert parameters_of(layer) == (6, 8)
