"""A predictions folder whose tables, formats and page are written again for another threshold, without the network."""

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from detect.imagery.files import remove_written
from detect.inference.failures import Failure
from detect.labels.writing.format_table import FORMATS
from detect.reporting.output.ground_survey import GroundSurvey
from detect.reporting.output.layout import COUNTS, OVERLAYS, REPORT
from detect.reporting.output.prediction_folder import PredictionFolder
from detect.reporting.output.predictions import read_failures
from detect.reporting.output.products import PAGE, TABLES, is_of_format
from detect.reporting.output.records import Record
from detect.reporting.output.written import WrittenFiles
from detect.reporting.writing import write_picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from detect.nets.card import ModelCard


class RecountedFolder(PredictionFolder):
    """An output folder that writes what other records of its images say; its journal stays that of the run.

    Args:
        folder: the output folder.
        card: of the model.
        records: of the images, by name.
        survey: what of the ground is counted.
    """

    def __init__(self, folder: Path, card: "ModelCard", records: Mapping[str, Record], survey: GroundSurvey) -> None:
        super().__init__(folder, card, (), written_products(folder), survey)
        self._records = dict(sorted(records.items()))
        self.failures = [Failure(*each) for each in read_failures(self.paths.failures)]

    @property
    def found(self) -> dict[str, Record]:
        """The images, by name."""
        return self._records

    def redraw(self, draw: Callable[[str, Record], "Image | None"]) -> list[str]:
        """Draw what is counted on the images anew; return the names of those of which no picture can be made.

        Their pictures are removed: they show other objects.

        Args:
            draw: makes the picture of an image, None where it cannot.
        """
        lost = []
        for name, record in self.found.items():
            picture = draw(name, record)
            if picture is None:
                lost.append(name)
                remove_written(self.paths.overlay(name), self.folder / OVERLAYS)
            else:
                write_picture(picture, self.paths.overlay(name))
        return lost

    def _keep(self, facts: Mapping[str, Any]) -> None:
        """Keep nothing: what the run said of itself at its own threshold stays."""


def written_products(folder: Path) -> Collection[str]:
    """Return what runs wrote into a folder, of `PRODUCTS`; candidates and heatmaps depend on no threshold."""
    names = [name for name in WrittenFiles(folder).names() if os.path.lexists(folder / name)]
    made = {product for product, file in ((TABLES, COUNTS), (PAGE, REPORT)) if file in names}
    made |= {form for form in FORMATS if any(is_of_format(name, form) for name in names)}
    return made | ({OVERLAYS} if (folder / OVERLAYS).is_dir() else set())
