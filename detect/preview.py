"""Preview: `python -m detect.preview data.root=DIR data.annotations=FILE [output=sheet.jpg]` draws training samples."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from detect.assembly.command import DONE, command

if TYPE_CHECKING:
    from detect.assembly.settings.train_settings import PreviewSettings

logger = logging.getLogger("detect.preview")


def run(settings: "PreviewSettings") -> int:
    """Draw a sheet of the first epoch's samples with their labels; see `conf/preview.yaml`."""
    from detect.assembly.given_labels import read_labels

    path = _sheet_path(settings.output, settings.overwrite)
    labels = read_labels(settings.data)

    from detect.assembly.material import training_material
    from detect.assembly.training.sample_sheet import draw_samples
    from detect.reporting.writing import write_picture

    sheet = draw_samples(settings, training_material(settings, labels))
    write_picture(sheet, path)
    logger.info("wrote %d of the first epoch's samples to %s", settings.samples, path)
    return DONE


def _sheet_path(path: Path, overwrite: bool) -> Path:
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        raise ValueError(f"output={path} must end in .jpg: the sheet is a JPEG")
    if path.exists() and not overwrite:
        raise FileExistsError(f"output={path} is there already; overwrite=true replaces it, or name another file")
    return path


main = command("preview")(run)

if __name__ == "__main__":
    main()
