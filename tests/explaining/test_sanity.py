import numpy as np
import torch

from detect.explaining.attribution import METHODS, Attribution, Question
from detect.explaining.sanity import LIKE, likeness, middle, randomised, rank_correlation
from tests.explaining.questions import CornerNet, DeepNet, asked, corner_square, noise


def edges(question: Question) -> Attribution:
    """A map of the picture alone, as an edge detector gives it: the failure that the check is for."""
    grey = question.pixels[0].mean(dim=0)
    return Attribution((grey - grey.roll(1, 0)).abs().numpy(), signed=False)


def test_random_weights_are_the_same_numbers_in_another_order() -> None:
    net = DeepNet()
    shuffled = randomised(net, 1)
    for one, other in zip(net.parameters(), shuffled.parameters(), strict=True):
        assert torch.equal(one.flatten().sort().values, other.flatten().sort().values)
    assert not torch.equal(net(noise()), shuffled(noise()))
    assert torch.equal(shuffled(noise()), randomised(net, 1)(noise()))


def test_a_map_that_does_not_look_at_the_network_fails() -> None:
    question = asked(DeepNet(), noise(), (2, 2))
    assert likeness(edges, question, edges(question), [randomised(question.net, 0)]) == 1.0 > LIKE


def test_maps_that_look_at_the_network_change_with_its_weights() -> None:
    question = asked(CornerNet(), corner_square())
    before = question.net(question.pixels)
    shuffled = [randomised(question.net, seed) for seed in (0, 1)]
    for name in ("gradcam", "occlusion"):
        assert likeness(METHODS[name], question, METHODS[name](question), shuffled) < LIKE
    assert torch.equal(question.net(question.pixels), before)  # its own weights are where they were


def test_rank_correlation_is_of_sizes_and_of_no_constant() -> None:
    rising = np.arange(12.0).reshape(3, 4)
    assert rank_correlation(rising, -rising) == 1.0
    assert rank_correlation(rising, rising[::-1, ::-1]) == -1.0
    assert rank_correlation(rising, np.ones((3, 4))) == 0.0


def test_the_middle_is_in_the_middle() -> None:
    values = np.zeros((10, 12), np.float32)
    values[3:7, 4:8] = 1
    assert middle(values, 4).shape == (4, 4) and middle(values, 4).min() == 1
    assert middle(values, 99).shape == (10, 12)
