import pytest
import torch

from detect.nets.backbones import build_backbone, build_pyramid, parameters_of
from detect.nets.lenet import lenet5
from detect.nets.net_spec import BackboneSpec
from detect.nets.receptive import receptive_halo


def test_its_weights_are_those_of_the_paper_s_layers() -> None:
    """Kernels of 5 x 5 from 3 to 6 to 16 to 120 channels, 120 to 84, and two numbers a channel for normalisation."""
    weights = 25 * (3 * 6 + 6 * 16 + 16 * 120) + 120 * 84
    assert parameters_of(lenet5(3))[1] == weights + 2 * (6 + 16 + 120 + 84)


@pytest.mark.parametrize("bands", [1, 3, 12])
def test_it_takes_any_number_of_bands_and_images_of_any_size(bands: int) -> None:
    with torch.inference_mode():
        features = build_backbone(BackboneSpec("lenet5", 4, bands=bands)).eval()(torch.rand(2, bands, 24, 36))
        levels = build_pyramid(BackboneSpec("lenet5", 1, bands=bands), 4).eval()(torch.rand(1, bands, 24, 36))
    assert features.shape == (2, 84, 6, 9)
    assert [tuple(level.shape[1:]) for level in levels] == [(6, 24, 36), (16, 12, 18), (84, 6, 9)]


def test_it_sees_as_far_as_the_paper_s() -> None:
    """2 pixels, 2 cells of 2 and 2 cells of 4 on either side make 14, which begins in the fourth cell: 16 pixels."""
    assert receptive_halo(build_backbone(BackboneSpec("lenet5", 4)), 4, 3) == 16


def test_its_stages_cannot_be_dilated() -> None:
    with pytest.raises(ValueError, match=r"\[1, 2, 4\].*net\.stride=16"):
        build_backbone(BackboneSpec("lenet5", 16))
    with pytest.raises(ValueError, match=r"lenet5 .*net\.stages=null"):
        build_backbone(BackboneSpec("lenet5", 2, 3))
