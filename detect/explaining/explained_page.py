"""The page of what a network sees: the photograph and every picture, each with the command that makes it again."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from PIL import Image

from detect.explaining.explained_pictures import png
from detect.reporting.page.page_templates import page_templates


@dataclass(frozen=True, eq=False)
class MadePicture:
    """A picture of the page, and the file that it is written to.

    Attributes:
        stem: name of the file, without `.png`.
        picture: itself.
        title: what it is, in a few words.
        words: sentences under it.
        method: of the setting `methods`, that makes it again; empty of the photograph.
        warning: why it is not to be trusted; empty of one that may be.
        facts: numbers on it.
    """

    stem: str
    picture: Image.Image
    title: str
    words: tuple[str, ...] = ()
    method: str = ""
    warning: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def data(self) -> bytes:
        """The picture as a PNG."""
        return png(self.picture)


@dataclass(frozen=True, eq=False)
class PageSection:
    """Pictures that belong together, each as wide as the page where `wide`."""

    title: str
    pictures: Sequence[MadePicture]
    words: tuple[str, ...] = ()
    wide: bool = False


@dataclass(frozen=True, eq=False)
class LayerPart:
    """The table of layers: names of columns, cells as text, and a sentence on it."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: str


def explained_page(
    model: str,
    image: str,
    facts: Sequence[tuple[str, str]],
    sections: Sequence[PageSection],
    layers: LayerPart | None,
    again: dict[str, str],
) -> str:
    """Return the page's HTML, which needs no other file; names from files are shown as text.

    Args:
        model: the model's name.
        image: the image's.
        facts: names and values on what is explained.
        sections: the pictures.
        layers: the table of layers; None leaves it out.
        again: the command line that makes a picture again, by its method.
    """
    environment = page_templates()
    shown = [
        {
            "title": section.title,
            "words": section.words,
            "wide": section.wide,
            "pictures": [_shown(picture, again.get(picture.method, "")) for picture in section.pictures],
        }
        for section in sections
    ]
    return environment.get_template("explain.html.j2").render(
        model=model,
        image=image,
        facts=list(facts),
        warnings=[f"{each.title}: {each.warning}" for part in sections for each in part.pictures if each.warning],
        sections=shown,
        columns=[] if layers is None else list(layers.columns),
        rows=[] if layers is None else [list(row) for row in layers.rows],
        layer_words="" if layers is None else layers.words,
        layers_again=again.get("layers", ""),
    )


def _shown(made: MadePicture, again: str) -> dict[str, Any]:
    """Return a picture as the page has it."""
    address = "data:image/png;base64," + base64.b64encode(made.data).decode("ascii")
    words = [*made.words, *([made.warning] if made.warning else [])]
    return {"title": made.title, "words": words, "warning": bool(made.warning), "address": address, "again": again}
