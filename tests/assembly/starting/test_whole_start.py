from dataclasses import replace

import pytest

from detect.assembly.starting.first_net import carry_over, known_temperature
from detect.nets.heads.specs import WholeHead
from detect.nets.heads.whole import WholeClassifier
from detect.nets.modelfile import build_net
from detect.nets.net_spec import BackboneSpec
from tests.cards import card_of


@pytest.mark.parametrize(
    ("validation", "wanted"),
    [({"temperature": 2.5}, 2.5), ({"temperature": "2"}, 1.0), ({"temperature": 1e9}, 1.0), ({}, 1.0), (None, 1.0)],
)
def test_a_temperature_is_taken_back_where_it_is_believed(validation: object, wanted: float) -> None:
    card = card_of(WholeHead(32, "one", None), separation=1.0, training={"validation": validation})
    assert known_temperature(card) == wanted


def test_what_a_model_is_familiar_with_is_left_behind() -> None:
    old_card = card_of(WholeHead(16, "one", None, 3), BackboneSpec("lenet5", 4, None, 1), bands=(1,), separation=1.0)
    spec = replace(old_card, head=WholeHead(16, "one", None))
    old, net = build_net(old_card), build_net(spec)
    carry_over(net, spec, old, old_card)
    assert isinstance(net, WholeClassifier) and net.familiarity is None
    assert all(bool((value == old.state_dict()[name]).all()) for name, value in net.state_dict().items())
