"""What stands in an exported file's metadata."""

import json

from detect.inference.exports.export_card import channel_names, export_record, record_text
from detect.nets.heads.specs import WholeHead
from detect.nets.net_spec import BackboneSpec
from tests.cards import card_of, grid_head, patch_card


def test_it_is_what_decoding_needs_and_nothing_of_the_training() -> None:
    """The threshold 0.8 is log odds of ln 4; a patch of 32 pixels at 16 is centred on a corner of cells, at 0."""
    normalised = {"offset": (1.0, 2.0, 3.0), "scale": (4.0, 5.0, 6.0)}
    training = {"train": ["/home/me/photo.jpg"]}
    card = patch_card(threshold=0.8, separation=24.0, halo=64, halo_auto=32, training=training, **normalised)
    record = json.loads(record_text(card, "uint8", "float32"))
    assert record == export_record(card, "uint8", "float32")
    assert (record["head"], record["patch_size"], record["background"]) == ("patch", 32, "ground")
    assert (record["stride"], record["align"], record["cell_offset"]) == (16, 16, 0.0)
    assert (record["halo"], record["halo_exact"], record["separation"]) == (32, 64, 24.0)
    assert abs(record["log_odds"] - 1.3862944) < 1e-6
    assert (record["bands"], record["dtype"], record["input_dtype"]) == ([1, 2, 3], "uint8", "uint8")
    assert (record["fill"], record["drawing"]) == ([1.0, 2.0, 3.0], None)
    assert record["precision"] == "float32" and "/home" not in str(record) and "train" not in record


def test_a_threshold_that_is_a_probability_is_told_as_the_networks_log_odds_too() -> None:
    """Probabilities of 2 log odds + 1: half is where the network's log odds are -0.5."""
    record = export_record(patch_card(threshold=0.5, calibration={"slope": 2.0, "intercept": 1.0}), "uint8", "float32")
    assert abs(record["log_odds"] + 0.5) < 1e-6 and record["threshold"] == 0.5


def test_every_channel_of_a_map_has_a_name() -> None:
    grid = card_of(grid_head(slots=2), BackboneSpec("test_resnet", 8))
    assert channel_names(patch_card()) == ["ground", "a", "b"]
    assert channel_names(grid) == ["(odds)", "(x)", "(y)", "(width)", "(height)"] * 2 + ["a", "b"]
    whole = WholeHead(64, "one", "none", known=3)
    assert channel_names(card_of(whole, BackboneSpec("test_resnet", 32))) == ["none", "a", "b", "(familiarity)"]
