"""Questions to small networks whose answers are known."""

import torch
from torch import Tensor, nn

from detect.explaining.aims import Aim
from detect.explaining.attribution import Question
from detect.explaining.guided import readable

SIDE = 32


class LinearNet(nn.Module):
    """A map of one cell and one channel: the sum of pixels times weights (1, 3, 32, 32), plus 5."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        weight = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
        self.weight = nn.Parameter(weight)

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels * self.weight).sum(dim=(1, 2, 3))[:, None, None, None] + 5


class CornerNet(nn.Module):
    """Looks for a bright square in the upper left corner: brightness there counts, and nowhere else.

    Features are means over cells of 4 pixels, of which one channel is bright ground above 128 and the other dark;
    a linear layer adds up the first channel in the 2 x 2 cells of the corner.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 2, 4, stride=4), nn.ReLU(inplace=True))
        first = self.features[0]
        assert isinstance(first, nn.Conv2d) and first.bias is not None
        with torch.no_grad():
            first.weight[0], first.weight[1] = 1 / 48, -1 / 48
            first.bias.copy_(torch.tensor([-128.0, 128.0]))
        self.head = nn.Linear(2 * 8 * 8, 1, bias=False)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.weight.view(2, 8, 8)[0, :2, :2] = 1.0

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(self.features(pixels).flatten(1))[:, :, None, None]


class DeepNet(nn.Module):
    """Random convolutions, smooth and not, with a map of 4 x 4 cells of two channels."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.features = nn.Sequential(
                *(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
                *(nn.Conv2d(16, 16, 3, padding=1), nn.SiLU(inplace=True), nn.MaxPool2d(4)),
            )
            self.head = nn.Conv2d(16, 2, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(self.features(pixels / 64 - 2))


def noise(seed: int = 0) -> Tensor:
    """Pixels (1, 3, 32, 32) in [0, 255]."""
    return 255 * torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def corner_square() -> Tensor:
    """Dark ground with a bright square in the upper left corner, and the same one in the lower right one."""
    pixels = torch.full((1, 3, SIDE, SIDE), 60.0)
    pixels[:, :, :8, :8] = pixels[:, :, -8:, -8:] = 220.0
    return pixels


def asked(net: nn.Module, pixels: Tensor, cell: tuple[int, int] = (0, 0), layer: str = "features") -> Question:
    """A question why the first channel of a cell is as high as it is; what is blank is 60."""
    blank = torch.full((1, 3, 1, 1), 60.0)
    return Question(readable(net), pixels, Aim("a", 0, cell), layer, blank, square=8, seed=0)
