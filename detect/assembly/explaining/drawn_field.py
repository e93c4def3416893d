"""The receptive field of a place's cell, by the formula and as measured, drawn on the photograph."""

import logging
from collections.abc import Collection, Iterator, Sequence

from detect.assembly.explaining.asking_network import Asked, shown_pixels
from detect.explaining.effective_field import SHARES, effective_field
from detect.explaining.explained_page import MadePicture
from detect.explaining.explained_pictures import Box, field_picture
from detect.explaining.field_formula import Field, fields_of
from detect.imagery.windows import Window
from detect.nets.heads.specs import WholeHead

logger = logging.getLogger(__name__)

FRAME_COLOURS = ("blue", "orange", "pink")
"""Names of the first colours of the palette, in which boxes are drawn."""

WIDEST_FIELD = 640
"""Side in pixels, about, of the noise on which effective fields are measured; a larger theoretical field is cut."""


def field_pictures(asked: Asked) -> MadePicture:
    """Draw the receptive field of a cell over the photograph about the place, and say which halo follows from it."""
    card, net = asked.card, asked.net
    whole = isinstance(card.head, WholeHead)
    formula = _formula(asked)
    halo = None if formula is None else formula.halo(card.align)
    exact = None if halo is None else 2 * halo + card.align
    side = card.head.side if isinstance(card.head, WholeHead) else min(exact or WIDEST_FIELD, WIDEST_FIELD)
    side = -(-side // card.align) * card.align
    found = effective_field(net, net.offset, net.scale, card.stride, side, asked.seed)
    x, y = asked.place.xy
    shown = Window(round(y - found.centre), round(x - found.centre), side, side)
    if whole:
        shown = Window(0, 0, side, side)
    at = (found.centre, found.centre)
    frames = {f"{100 * SHARES[1]:.0f} % of the gradient": found.halves[1]}
    context = card.halo if card.halo_auto is None else card.halo_auto
    if context is not None and not whole:
        frames["the halo that prediction uses"] = context + card.stride / 2
    if exact is not None and formula is not None:
        frames["the theoretical field"] = max(formula.size) / 2
    shown_frames = {name: half for name, half in frames.items() if half <= side / 2}
    boxes: list[Box] = [_square(found.centre, half) for half in shown_frames.values()]
    words = (*_field_words(asked, formula, halo, found.halves, side), frame_words(frames, shown_frames))
    facts = {
        "theoretical_px": None if formula is None or not formula.bounded else list(formula.size),
        "halo_px": halo,
        "measured_halo_px": card.halo_auto,
        "effective_half_px": dict(zip(map(str, SHARES), found.halves, strict=True)),
    }
    picture = field_picture(shown_pixels(asked, shown), found.values, boxes, at)
    return MadePicture("field", picture, "Receptive field", words, "field", facts=facts)


def _formula(asked: Asked) -> Field | None:
    """Return the theoretical field of the map's cells; None where the formula cannot follow the network."""
    side = max(64, asked.card.align)
    try:
        return fields_of(asked.net, len(asked.card.bands), -(-side // asked.card.align) * asked.card.align)[1]
    except ValueError as error:
        logger.warning("the receptive field is not known by the formula: %s", error)
        return None


def _field_words(
    asked: Asked, formula: Field | None, halo: int | None, halves: Sequence[float], side: int
) -> Iterator[str]:
    """Yield sentences on the fields."""
    card = asked.card
    if formula is None or not formula.bounded:
        yield "A cell sees the whole picture, so that no halo makes tiles exact."
    else:
        high, wide = formula.size
        yield (
            f"By the formula a cell sees {high:.0f} x {wide:.0f} pixels, so that a halo of {halo} pixels makes tiles "
            f"exact (the model's card says {card.halo})."
        )
    shares = ", ".join(f"{100 * share:.0f} % within {half:.0f} px" for share, half in zip(SHARES, halves, strict=True))
    yield (
        f"Effective (bright: mean gradient over noise of {side} x {side} pixels): {shares} of the cell along each axis."
    )
    if card.halo_auto is not None:
        yield f"The halo that was measured to be enough, which prediction uses, is {card.halo_auto} pixels."


def frame_words(frames: Collection[str], shown: Collection[str]) -> str:
    """Return which frame of a picture is which, by its colour, and which lie beyond it."""
    told = [f"{colour} is {name}" for colour, name in zip(FRAME_COLOURS, shown, strict=False)]
    beyond = [name for name in frames if name not in shown]
    return f"Frames: {', '.join(told)}" + (f"; beyond the picture is {' and '.join(beyond)}." if beyond else ".")


def _square(centre: float, half: float) -> Box:
    return centre - half, centre - half, centre + half, centre + half
