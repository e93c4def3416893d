"""A network asked about a place: the score there, and how much each pixel counts for it, by each method."""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detect.assembly.explaining.place_choice import Place
from detect.explaining.aims import Aim, aims_at, cell_at
from detect.explaining.attribution import METHODS, Attribution, Question
from detect.explaining.feature_maps import last_features, layer_of
from detect.explaining.guided import readable
from detect.explaining.method_names import WORDS
from detect.explaining.sanity import LIKE, SHUFFLES, likeness, randomised
from detect.explaining.seen_tile import SeenTile, map_of, read_tile, tile_about, tile_over
from detect.imagery.windows import Window
from detect.nets.card import ModelCard
from detect.nets.heads.specs import GridHead, PatchHead, WholeHead
from detect.nets.modelfile import Net

logger = logging.getLogger(__name__)

UNBOUNDED_HALO = 160
"""Context in pixels of a tile of a network that sees the whole image, about: no tile is exact for it."""

FEWEST_SQUARE, SQUARE_SHARE, SCENE_SHARE = 8, 0.5, 0.15
"""Side of the occluding square: least, and as a share of a typical object's side, or of a whole scene's."""


@dataclass(frozen=True, eq=False)
class Asked:
    """A network, a place of an image, and the scores there.

    Attributes:
        net: readable, on its device.
        card: of the model.
        place: in the image.
        tile: about the place, with the context that its cells need.
        aims: the scores.
        scores: their values.
        layer: whose features Grad-CAM weighs.
        seed: of noise and random weights.
    """

    net: Net
    card: ModelCard
    place: Place
    tile: SeenTile
    aims: Sequence[Aim]
    scores: Sequence[float]
    layer: str
    seed: int

    def question(self, aim: Aim) -> Question:
        """Return the question why a score is as high as it is."""
        blank: Tensor = self.net.offset
        return Question(self.net, self.tile.pixels, aim, self.layer, blank, occluding_square(self.card), self.seed)

    def shown(self, attribution: Attribution) -> Attribution:
        """Return an attribution of the tile on the window that is shown."""
        return replace(attribution, values=self.tile.within(attribution.values, self.place.window))

    def window_tile(self, window: Window) -> SeenTile:
        """Read any tile of the image."""
        return read_tile(self.place.source, self.card.bands, window, self.tile.pixels.device)


@dataclass(frozen=True, eq=False)
class Explained:
    """How much each pixel of a window counts for a score.

    Attributes:
        aim: the score.
        method: by which, of `method_names.ATTRIBUTIONS`.
        attribution: on the window that is shown.
        likeness: rank correlation with the map of random weights; None where that was not asked for.
        seconds: that it took, without that.
    """

    aim: Aim
    method: str
    attribution: Attribution
    likeness: float | None
    seconds: float

    @property
    def warning(self) -> str:
        """Why it is not to be trusted; empty where it may be."""
        if self.likeness is None or self.likeness < LIKE:
            return ""
        return (
            f"with random weights the map is alike (rank correlation {self.likeness:.2f}, {LIKE} or more fails the "
            "sanity check): it shows the picture or the network's shape more than what was learned"
        )


def check_captum(methods: Sequence[str]) -> None:
    """Check that captum is there where a method needs it.

    Raises:
        ValueError: it is not.
    """
    needing = [name for name in methods if name in METHODS]
    if needing and find_spec("captum") is None:
        raise ValueError(f"methods=[{','.join(needing)}] need the package captum: pip install 'detect[explain]'")
    if needing:
        import_module("captum.attr")  # in the time of none of the methods


def halo_of(card: ModelCard) -> int:
    """Return the context in pixels of a tile that is asked about: what was measured to be enough, else the exact."""
    if card.halo is None:
        return -(-UNBOUNDED_HALO // card.align) * card.align
    return card.halo if card.halo_auto is None else card.halo_auto


def occluding_square(card: ModelCard) -> int:
    """Return the side in pixels of the square that occlusion hides: half a typical object's."""
    match card.head:
        case WholeHead(side=side):
            return max(FEWEST_SQUARE, round(SCENE_SHARE * side))
        case PatchHead() | GridHead():
            return max(FEWEST_SQUARE, round(SQUARE_SHARE * card.head.typical_size))


def ask(net: Net, card: ModelCard, place: Place, name: str | None, layer: str | None, seed: int) -> Asked:
    """Ask a network about a place.

    Args:
        net: readable, on its device.
        card: of the model.
        place: in the image.
        name: of the class, or `objectness`; None takes the class of the object, and of a grid the objectness too.
        layer: whose features Grad-CAM weighs; None takes the last.
        seed: of noise and random weights.

    Raises:
        ValueError: no such class or layer.
    """
    x, y = cell_place(net, card, place)
    window = tile_about(card, (x, y), halo_of(card))
    tile = read_tile(place.source, card.bands, window, next(net.parameters()).device)
    logits = map_of(net, tile)
    at = (x - window.col, y - window.row)
    found = None if place.found is None else place.found.seen_from(window.col, window.row)
    aims = aims_at(card, logits, at, name if name is not None else _own_class(card, place), found)
    chosen = layer or last_features(net)
    layer_of(net, chosen)
    scores = [float(logits[aim.channel, aim.cell[0], aim.cell[1]]) for aim in aims]
    told = ", ".join(f"{aim.name} {score:.3f}" for aim, score in zip(aims, scores, strict=True))
    logger.info("explaining %s: raw score %s", place.words, told)
    return Asked(net, card, place, tile, aims, scores, chosen, seed)


def cell_place(net: Net, card: ModelCard, place: Place) -> tuple[float, float]:
    """Return the place that the tile to be asked about is laid around, in resampled pixels.

    It is the middle of the cell that an object was found by. That of a cut box may lie in another tile than the box's
    middle, where the cell lacks context; so it is looked for in a tile over all of the box.

    Args:
        net: readable, on its device.
        card: of the model.
        place: in the image.
    """
    if place.found is None or not isinstance(card.head, GridHead):
        return place.xy
    x1, y1, x2, y2 = place.found.box
    top, left = math.floor(min(y1, place.xy[1])), math.floor(min(x1, place.xy[0]))
    over = tile_over(card, Window(top, left, max(1, math.ceil(y2) - top), max(1, math.ceil(x2) - left)), halo_of(card))
    logits = map_of(net, read_tile(place.source, card.bands, over, next(net.parameters()).device))
    at = (place.xy[0] - over.col, place.xy[1] - over.row)
    row, col, _ = cell_at(card, logits, at, place.found.seen_from(over.col, over.row))
    return over.col + card.cell_offset + card.stride * col, over.row + card.cell_offset + card.stride * row


def _own_class(card: ModelCard, place: Place) -> str | None:
    """Return the class of a place's object; None of a grid of one class, whose score learned nothing."""
    alone = isinstance(card.head, GridHead) and len(card.classes) == 1
    return None if alone else place.label


def explain(asked: Asked, methods: Sequence[str], sanity: bool) -> Iterator[Explained]:
    """Yield what each method says of each score, with the sanity check where it is asked for."""
    shuffled = [randomised(asked.net, asked.seed + i) for i in range(SHUFFLES)] if sanity else []
    for aim in asked.aims:
        question = asked.question(aim)
        for name in methods:
            if name not in METHODS:
                continue
            started, worked = time.monotonic(), time.process_time()
            made = METHODS[name](question)
            seconds, worked = time.monotonic() - started, time.process_time() - worked
            alike = None if not shuffled else likeness(METHODS[name], question, made, shuffled)
            found = Explained(aim, name, asked.shown(made), alike, seconds)
            said = "" if alike is None else f", rank correlation with random weights {alike:.2f}"
            logger.info("%s of %s: %.1f s, %.1f s of processors%s", WORDS[name], aim.name, seconds, worked, said)
            if found.warning:
                logger.warning("%s of %s: %s", WORDS[name], aim.name, found.warning)
            yield found


def on_device(net: Net, device: torch.device) -> Net:
    """Return a readable copy of a network on a device."""
    return readable(net).to(device)


def shown_pixels(asked: Asked, window: Window) -> NDArray[np.uint8]:
    """Return a window (H, W, 3) of the image as a picture; beyond the image it is mirrored."""
    from detect.reporting.pictures.colours import to_display

    scene, bands = asked.place.source.scene, asked.card.bands
    with asked.place.source.open(scene, bands) as reader:
        return to_display(np.asarray(reader.read(window)))
