"""The rows of the page, one an image."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from detect.imagery.files import check_regular
from detect.reporting.output.layout import overlay_address
from detect.reporting.output.predictions import Predictions, SurveyedPart
from detect.reporting.page.figures import MAX_PICTURE_BYTES, Figures, draw_figures
from detect.reporting.page.scorecard import Scorecard
from detect.reporting.tables import UNKNOWN, read_facts


@dataclass(frozen=True)
class Row:
    """One image of the page.

    Attributes:
        number: from 1, in the order of the table.
        name: of the image.
        counts: per class.
        total: their sum.
        truth: objects annotated on it, None where that is not known.
        overlay: quoted address of the overlay file relative to the page, None where the file is missing.
        figures: its pictures, None for an image whose pictures are not embedded.
        share: part of its pixels that was surveyed, in [0, 1]; None where that is not known.
        hectares: surveyed area on the ground, None where it is not known.
        unknown: whether it is as a whole of none of the classes; None where that is not told.
    """

    number: int
    name: str
    counts: list[int]
    total: int
    truth: int | None
    overlay: str | None
    figures: Figures | None
    share: float | None
    hectares: float | None
    unknown: bool | None

    @property
    def density(self) -> float | None:
        """Objects per surveyed hectare, None where that is not known or nothing was surveyed."""
        return self.total / self.hectares if self.hectares else None


def image_rows(content: Predictions, scorecard: Scorecard | None, embed_limit: int) -> list[Row]:
    """Return a row per image, in the order of the table of counts."""
    rows, unknown = [], read_facts(content.paths.counts).get(UNKNOWN, {})
    for number, record in enumerate(content.counts.itertuples(index=False, name=None), start=1):
        name, *counts, total = record
        part = content.surveyed.get(name, SurveyedPart(None, None))
        has_overlay = may_be_linked(content.paths.overlay(name), content.folder)
        rows.append(
            Row(
                number=number,
                name=name,
                counts=[int(count) for count in counts],
                total=int(total),
                truth=scorecard.truth.get(name) if scorecard else None,
                overlay=quote(overlay_address(name), errors="surrogateescape") if has_overlay else None,
                figures=draw_figures(content, name) if number <= embed_limit else None,
                share=part.share,
                hectares=part.hectares,
                unknown=unknown[name] != "0" if name in unknown else None,
            )
        )
    return rows


def may_be_linked(overlay: Path, folder: Path) -> bool:
    """Return whether the page may link to an overlay or another page: a regular file inside the folder."""
    try:
        check_regular(overlay, MAX_PICTURE_BYTES, folder)
    except (OSError, ValueError):
        return False
    return True
