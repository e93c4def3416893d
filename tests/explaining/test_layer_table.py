import torch
from timm.layers import BatchNormAct2d
from torch import nn

from detect.explaining.layer_table import TOTAL, layer_rows, table_cells, table_text


class Small(nn.Module):
    """Two convolutions, the second at a stride of 2, and a layer that is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.act = nn.ReLU()
        self.second = nn.Conv2d(8, 4, 3, stride=2, padding=1, bias=False)
        self.unused = nn.Linear(5, 5)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.second(self.act(self.first(pixels)))


def test_layers_are_counted_as_by_hand() -> None:
    """On 16 x 16 pixels: 16 * 16 * 8 * 27 and 8 * 8 * 4 * 72 multiply-adds; a cell sees 3, then 3 + 2 = 5 pixels."""
    first, act, second, total = layer_rows(Small(), torch.zeros(1, 3, 16, 16), {"first"})
    assert (first.layer, first.kind, first.channels, first.height, first.width) == ("first", "Conv2d", 8, 16, 16)
    assert (first.stride, first.field, first.parameters) == (1, 3, 8 * 27 + 8)
    assert (first.multiply_adds, second.multiply_adds) == (16 * 16 * 8 * 27, 8 * 8 * 4 * 72)
    assert (act.parameters, act.learns, act.field) == (0, None, 3)
    assert (second.stride, second.field, second.parameters, second.learns) == (2, 5, 4 * 72, True)
    assert first.learns is False
    assert (total.layer, total.parameters) == (TOTAL, 8 * 27 + 8 + 4 * 72 + 30)
    assert total.multiply_adds == first.multiply_adds + second.multiply_adds


def test_every_weight_is_some_layers() -> None:
    """timm's normalisation holds its activation, and weights of its own: 2 * 8; an identity does nothing."""
    net = nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), BatchNormAct2d(8), nn.Identity()).eval()
    *rows, total = layer_rows(net, torch.zeros(1, 3, 8, 8), None)
    assert [row.kind for row in rows] == ["Conv2d", "ReLU", "BatchNormAct2d"]
    assert [row.parameters for row in rows] == [24, 0, 16] and total.parameters == 24 + 16
    assert [row.multiply_adds for row in rows] == [8 * 8 * 24, 0, 0]


def test_what_is_not_known_is_empty() -> None:
    columns, cells = table_cells(layer_rows(Small(), torch.zeros(1, 3, 16, 16), None))
    assert columns[-1] == "learns" and all(row[-1] == "" for row in cells)
    lines = table_text(layer_rows(Small(), torch.zeros(1, 3, 16, 16), None)).splitlines()
    assert len(lines) == 5 and lines[0].split() == columns
