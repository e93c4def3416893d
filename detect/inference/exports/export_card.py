"""What a program without this package needs beside an exported network: the record in the file's metadata."""

import json
from dataclasses import asdict
from typing import Any, assert_never

import numpy as np
from scipy.special import logit

from detect import __version__
from detect.inference.decoding.decoder import decoder_of
from detect.nets.card import ModelCard
from detect.nets.facts.probabilities import LEAST_SCORE, network_threshold
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead

EXPORT_FORMAT = "detect-export/1"
"""Version of the record."""

RECORD_NAME = "detect"
"""The record's name in the metadata of each format."""

INPUT_NAME, OUTPUT_NAME = "pixels", "map"
"""Names of what an exported network takes and gives."""


def export_record(card: ModelCard, input_dtype: str, precision: str) -> dict[str, Any]:
    """Return the record of an exported network: plain values, of the training only what prediction uses.

    Entries: `format`, `detect` (this package's version), `head` and its shape (`patch_size`, or `slots`, `object_size`
    and others), `classes`, `channels` (a name for each of the map's), `bands` (numbers from 1) and `band_names`,
    `dtype` (of the images), `input_dtype` (of the tensor) and `precision`, `align` (sides of tiles are multiples),
    `stride` (pixels per cell), `cell_offset` (pixel position of cell 0), `halo` (context in pixels of tiles of
    `detect.predict`) and `halo_exact`, `threshold` and `calibration` (as on the model's card), `log_odds` (the
    threshold as log odds of the network), `separation` (pixels, or the IoU of boxes), `scale` and `gsd` (the size that
    images are resampled to), `fill` (what pixels without data are read as, by band; empty for no such value) and
    `drawing` (how lists of wafers' defects are drawn; null of images).

    Args:
        card: of the model.
        input_dtype: numpy name of what the exported network takes.
        precision: of its weights and layers, `float32` or `int8`.
    """
    head = asdict(card.head)
    least = network_threshold(card.calibration, card.threshold)
    return {
        "format": EXPORT_FORMAT,
        "detect": __version__,
        "head": card.head.name,
        **head,
        "classes": list(card.classes),
        "channels": channel_names(card),
        "bands": list(card.bands),
        "band_names": list(card.band_names),
        "dtype": card.dtype,
        "input_dtype": input_dtype,
        "precision": precision,
        "align": card.align,
        "stride": card.stride,
        "cell_offset": card.cell_offset,
        "halo": card.halo if card.halo_auto is None else card.halo_auto,
        "halo_exact": card.halo,
        "threshold": card.threshold,
        "calibration": None if card.calibration is None else dict(card.calibration),
        "log_odds": float(logit(np.clip(least, LEAST_SCORE, 1 - LEAST_SCORE))),
        "separation": card.separation,
        "scale": card.resolution.scale,
        "gsd": card.resolution.gsd,
        "fill": list(card.offset),
        "drawing": None if card.drawing is None else card.drawing.record(),
    }


def record_text(card: ModelCard, input_dtype: str, precision: str) -> str:
    """Return the record as JSON in ASCII."""
    return json.dumps(export_record(card, input_dtype, precision), sort_keys=True)


def channel_names(card: ModelCard) -> list[str]:
    """Return what each channel of the map is.

    Of patches, and of whole scenes, logits of the outputs, by their names, and of some whole scenes `(familiarity)`. Of
    a grid, for each slot `(odds)` (log odds that an object's centre is in the cell), `(x)` and `(y)` of the centre from
    the cell's middle in cells, `(width)` and `(height)` as logarithms of the ratio to `object_size`; then logits of the
    classes.
    """
    match card.head:
        case PatchHead():
            return list(card.outputs)
        case GridHead(slots=slots):
            return ["(odds)", "(x)", "(y)", "(width)", "(height)"] * slots + list(card.classes)
        case WholeHead():
            more = decoder_of(card).channels - len(card.outputs)
            return [*card.outputs, *["(familiarity)"] * more]
        case _:
            assert_never(card.head)
