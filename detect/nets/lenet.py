"""LeNet-5: a small network to train from scratch, on images of any size and number of bands."""

from collections import OrderedDict

from torch import nn


def lenet5(bands: int) -> nn.Sequential:
    """Make the layers of LeNet-5 that come before its output, fully convolutional.

    The widths and the five-by-five kernels are those of LeCun et al. 1998, "Gradient-based learning applied to document
    recognition"; its layers C5 and F6, which saw the whole of a 32 x 32 image, are convolutions here. Where it had
    sigmoids, trained averages and no padding there are ReLU after batch normalisation, maxima, and maps of exactly the
    input's size over 1, 2 and 4.

    Args:
        bands: number of input bands.

    Returns:
        Layers c1 (6 channels, stride 1), s2, c3 (16, stride 2), s4, c5 (120) and f6 (84, stride 4).
    """
    return nn.Sequential(
        OrderedDict(
            c1=_convolution(bands, 6, 5),
            s2=nn.MaxPool2d(2),
            c3=_convolution(6, 16, 5),
            s4=nn.MaxPool2d(2),
            c5=_convolution(16, 120, 5),
            f6=_convolution(120, 84, 1),
        )
    )


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Module:
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
