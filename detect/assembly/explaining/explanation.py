"""What `Detector.explain` returns: how much each pixel of a window counts for a score, as arrays and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detect.assembly.explaining.asking_network import (
    Asked,
    Explained,
    ask,
    check_captum,
    explain,
    halo_of,
    shown_pixels,
)
from detect.assembly.explaining.place_choice import Place, counted, in_window, whole_image
from detect.explaining.method_names import ATTRIBUTIONS, MEANINGS, WORDS
from detect.imagery.windows import Window
from detect.inference.engine import Engine
from detect.inference.tiles import Source
from detect.nets.card import ModelCard
from detect.nets.modelfile import Net

if TYPE_CHECKING:
    from PIL.Image import Image

WINDOW_SIDE = 384
"""Side of the window about an object, in pixels of the image, where none is given."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a network scores a place as it does.

    Attributes:
        asked: the network and the place.
        explained: a map for each score and method.
    """

    asked: Asked
    explained: Sequence[Explained]

    @property
    def words(self) -> str:
        """What is explained."""
        return self.asked.place.words

    @property
    def window(self) -> Window:
        """The window that the maps are of, in pixels of the image; maps have the model's resolution."""
        return self.asked.place.file_window

    @property
    def scores(self) -> Mapping[str, float]:
        """The raw scores that are explained, before softmax or sigmoid, by name."""
        return {aim.name: score for aim, score in zip(self.asked.aims, self.asked.scores, strict=True)}

    @property
    def warnings(self) -> Mapping[tuple[str, str], str]:
        """Why a map is not to be trusted, by score and method, those of which that is known."""
        return {(each.aim.name, each.method): each.warning for each in self.explained if each.warning}

    def map(self, method: str, score: str | None = None) -> NDArray[np.float32]:
        """Return how much each pixel of the window counts, (H, W); signed ones are below 0 where it speaks against.

        Args:
            method: such as `gradcam`.
            score: the name of one of `scores`; None takes the first.

        Raises:
            KeyError: there is no such map.
        """
        return self._found(method, score).attribution.values

    def draw(self, method: str, score: str | None = None) -> "Image":
        """Draw a map over the photograph in grey.

        Args:
            method: such as `gradcam`.
            score: the name of one of `scores`; None takes the first.

        Raises:
            KeyError: there is no such map.
        """
        from detect.explaining.explained_pictures import map_picture

        pixels = shown_pixels(self.asked, self.asked.place.window)
        return map_picture(self._found(method, score).attribution, pixels)

    def _found(self, method: str, score: str | None) -> Explained:
        wanted = self.asked.aims[0].name if score is None else score
        for each in self.explained:
            if (each.method, each.aim.name) == (method, wanted):
                return each
        known = ", ".join(f"{each.method} of {each.aim.name}" for each in self.explained)
        raise KeyError(f"no map of {method} of {wanted}; there are {known}")

    def _repr_html_(self) -> str:
        """Return the pictures, as notebooks show them."""
        from detect.reporting.page.figures import data_address

        figures = "".join(
            f'<figure style="display:inline-block;margin:4px"><img width="300" src="'
            f'{data_address(self.draw(each.method, each.aim.name))}"><figcaption>'
            f"{escape(WORDS[each.method])}, {escape(each.aim.name)}: {escape(each.warning or MEANINGS[each.method])}"
            "</figcaption></figure>"
            for each in self.explained
        )
        return f"<p>{escape(self.words)}</p>{figures}"

    def __repr__(self) -> str:
        return f"<explanation of {self.words}: {', '.join(dict.fromkeys(each.method for each in self.explained))}>"


def explanation(net: Net, card: ModelCard, place: Place, name: str | None, methods: Sequence[str]) -> Explanation:
    """Explain a place of an image.

    Args:
        net: readable.
        card: of the model.
        place: in the image.
        name: of the class, or `objectness`; None takes those of the object.
        methods: of `ATTRIBUTIONS`.

    Raises:
        ValueError: no such class or method, or captum is not there.
    """
    for method in methods:
        if method not in ATTRIBUTIONS:
            raise ValueError(f"methods must be of {', '.join(ATTRIBUTIONS)}, got {method}")
    check_captum(methods)
    asked = ask(net, card, place, name, None, 0)
    return Explanation(asked, list(explain(asked, methods, sanity=True)))


def numbered(
    source: Source, engine: Engine, net: Net, card: ModelCard, window: Sequence[int] | None, detection: int
) -> Place:
    """Return the place of an object by its number, from 1, in an image or, where one is given, in a window of it.

    Args:
        source: the image, at the network's resolution.
        engine: of the model.
        net: readable.
        card: of the model.
        window: (row, col, height, width) in pixels of the image; None counts all of it.
        detection: number of the object, the highest score first.

    Raises:
        ValueError: no such window or object.
    """
    if window is None:
        return whole_image(source, counted(source, engine), detection, WINDOW_SIDE, card)
    return in_window(source, engine, net, card, Window(*window), detection, halo_of(card))
