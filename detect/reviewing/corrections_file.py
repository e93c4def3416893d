"""`CorrectionsFile`: `corrections.csv` in a predictions folder, written anew from the acts of a review."""

import logging
from pathlib import Path

from detect.labels.corrections import Corrections, corrections_bytes
from detect.reporting.output.layout import CORRECTIONS
from detect.reporting.output.written import WrittenFiles

logger = logging.getLogger(__name__)

WAY_OUT = ", and read it as annotations from there"


class CorrectionsFile:
    """The reviewed windows and what is in them, made of the acts alone.

    Args:
        folder: the predictions folder.

    Attributes:
        stale: why the file lacks what was done last; empty where it does not.

    Raises:
        FileExistsError: a person changed the file, or made it.
    """

    def __init__(self, folder: Path) -> None:
        self._files = WrittenFiles(folder)
        self._files.check([CORRECTIONS], WAY_OUT, adopt=False)
        self.stale = ""

    def keep(self, corrections: Corrections) -> None:
        """Write the file after an act that is kept already; what goes wrong is told, and tried again."""
        try:
            self.write(corrections)
            self.stale = ""
        except (OSError, ValueError) as error:
            self.stale = f"what you did is kept, but {CORRECTIONS} could not be written: {error}"
            logger.warning("%s", self.stale)

    def write(self, corrections: Corrections) -> None:
        """Write the file anew, unless a person changed it.

        Raises:
            FileExistsError: a person did.
            OSError: it cannot be written.
            ValueError: a name in it cannot be.
        """
        self._files.check([CORRECTIONS], WAY_OUT, adopt=False)
        self._files.write({CORRECTIONS: corrections_bytes(corrections)})
