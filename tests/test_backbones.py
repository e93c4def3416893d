import pytest
import timm

from detect.nets.features import FEATURE_LAYERS
from tools import backbones as table


def rows(output: str) -> dict[str, list[str]]:
    """The cells of a table in Markdown, by the first of each row."""
    lines = [line for line in output.splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: rest for name, *rest in cells}


def test_a_patch_classifier_costs_what_its_layers_do(capsys: pytest.CaptureFixture[str]) -> None:
    """LeNet-5 on a pixel, a quarter and a sixteenth of the pixels, and 2 outputs of 84 features.

    25 x 3 x 6 + 25 x 6 x 16 / 4 + (25 x 16 x 120 + 120 x 84 + 84 x 2) / 16 = 4,690.5 multiply-adds a pixel; 60,930
    weights, 452 of normalisation, and 170 of the output are 0.06 million.
    """
    assert table.main(["--names", "lenet5", "test_efficientnet", "--tile", "62", "--repeats", "1"]) == 0
    output = capsys.readouterr().out
    assert "net=patch, tiles of 62 pixels" in output and table.HEADER in output
    found = rows(output)
    assert found["lenet5"][:4] == ["4", "0.06", "4.7", "16"]
    assert found["test_efficientnet"][0] == "16" and found["test_efficientnet"][3] == "unbounded"
    assert all(float(cells[-1]) > 0 for cells in found.values())
    row = table.measure("lenet5", "patch", 64, 1)
    assert (row.multiply_adds, row.parameters, row.reach) == (4690.5, 60_930 + 452 + 170, 16)


def test_a_grid_head_is_measured_down_to_its_deepest_features() -> None:
    """Its strides; of LeNet-5, which ends at 4, half of it; it looks further than the classifier."""
    assert table.measure("test_resnet", "grid", 64, 1).strides == (8, 32)
    assert str(table.measure("lenet5", "grid", 64, 1)).startswith("| lenet5 | 2 to 4 | ")


@pytest.mark.parametrize(
    ("name", "reach"),
    [
        ("hgnetv2_b0", 512),
        ("hgnetv2_b2", 768),
        ("mobilenetv4_conv_small", 512),
        ("mobilenetv4_conv_medium", 992),
    ],
)
def test_networks_for_users_with_a_hub_make_bounded_grid_heads(name: str, reach: int) -> None:
    """Built without weights; how far they see is known, so that their tiles can be stitched exactly."""
    row = table.measure(name, "grid", 64, 1)
    assert row.strides == (8, 32) and row.reach == reach


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--names", "lenet5", "alexnet"], "net.backbone=alexnet is not a network of timm; near: torchvision/alexnet"),
        (["--kind", "grid", "--names", "test_vit"], "test_vit has features at strides [16]"),
        (["--tile", "0"], "--tile and --repeats must be 1 or more, got 0 and 5"),
    ],
)
def test_wrong_use_is_told_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as raised:
        table.main(options)
    assert raised.value.code == 2 and message in capsys.readouterr().err


def test_every_name_of_the_table_is_known() -> None:
    assert all(name in FEATURE_LAYERS or timm.is_model(name) for name in table.FAMILIES)
