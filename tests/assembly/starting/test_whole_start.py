import pytest

from detect.assembly.starting.first_net import known_temperature
from detect.nets.heads.specs import WholeHead
from tests.cards import card_of


@pytest.mark.parametrize(
    ("validation", "wanted"),
    [({"temperature": 2.5}, 2.5), ({"temperature": "2"}, 1.0), ({"temperature": 1e9}, 1.0), ({}, 1.0), (None, 1.0)],
)
def test_a_temperature_is_taken_back_where_it_is_believed(validation: object, wanted: float) -> None:
    card = card_of(WholeHead(32, "one", None), separation=1.0, training={"validation": validation})
    assert known_temperature(card) == wanted
