"""The output folder of a run of predictions: made, compared with what a person changed in it, and cleared."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from detect.assembly.folders import TrainingPaths
from detect.assembly.output_folders import output_folder
from detect.assembly.settings.predict_settings import PredictSettings
from detect.reporting.output import layout
from detect.reporting.output.layout import PredictionPaths

if TYPE_CHECKING:
    from detect.reporting.publishing.mirror import Mirror

logger = logging.getLogger(__name__)


def prediction_folder(settings: PredictSettings) -> PredictionPaths:
    """Make the output folder.

    Raises:
        ValueError: it lies among the images, so that the next run would count its pictures.
        FileExistsError: it holds results that no run remembers, and `overwrite` is not set.
    """
    path, images = settings.output, settings.images
    full = Path(os.path.realpath(path))
    if images.is_dir() and images.resolve() in (full, *full.parents):
        raise ValueError(
            f"output={path} lies inside images={images}; name a folder outside, or its pictures are counted"
        )
    if TrainingPaths(path).model.exists():
        raise FileExistsError(f"output={path} is the folder of a trained model; name another one")
    paths = PredictionPaths(path)
    output_folder(
        path,
        results=(paths.run_facts, path / layout.HEATMAPS),
        allowed=settings.overwrite or paths.settings.exists(),
        way_out="overwrite=true replaces it, or name another folder",
    )
    return paths


def check_tables(paths: PredictionPaths, settings: PredictSettings, images: Sequence[str]) -> None:
    """Check that the files that a run replaces are as an earlier one wrote them, and that formats can have the names.

    Args:
        paths: of the output folder.
        settings: with what is written, and whether the folder is overwritten.
        images: the images' names.

    Raises:
        FileExistsError: a person changed one, or made one of a format, and `overwrite` is not set.
        ValueError: something else than a file has the name of one, or two images would share a file of a format.
    """
    from detect.reporting.output.products import format_files, result_files
    from detect.reporting.output.written import WrittenFiles

    way_out = ", or overwrite=true replaces it with all the rest"
    written, replace = WrittenFiles(paths.folder), settings.overwrite
    formats = format_files(settings.write, images)
    places = {name.split("/")[0] for name in formats}
    earlier = [name for name in written.names() if name.split("/")[0] in places]
    written.check(result_files(settings.write), way_out, replace=replace)
    written.check(dict.fromkeys([*formats, *earlier]), way_out, replace=replace, adopt=False)


def start_afresh(paths: PredictionPaths, images: Sequence[tuple[str, Path]], mirror: "Mirror | None" = None) -> None:
    """Remove what an earlier run wrote into its output folder, and an evaluation of it; anything else in it stays.

    So does what a person reviewed, and which windows were drawn for that.

    Pictures are removed of the images that the earlier run's journal names, and of those of this run.

    Args:
        paths: of the output folder.
        images: (name, path) of this run.
        mirror: of the folder's address, where the same is removed; None of a folder on this machine.
    """
    from detect.imagery.files import check_inside, remove_written
    from detect.inference.strips.shelf import clear_shelf
    from detect.labels.writing.format_table import FORMATS
    from detect.reporting.classes.class_folder import clear_classes
    from detect.reporting.lots.lot_folder import clear_lots
    from detect.reporting.output.journal import recorded_sources
    from detect.reporting.output.products import is_of_format
    from detect.reporting.output.written import WrittenFiles
    from detect.reporting.pictures.scene_errors import clear_scenes

    clear_scenes(paths.errors)
    clear_classes(paths.folder)
    clear_lots(paths.folder)
    clear_shelf(paths.strips)
    names = {name for name, _ in images}
    try:
        names |= recorded_sources(paths.folder).keys()
    except (OSError, ValueError) as error:
        logger.warning("only the pictures of this run's images are removed: %s", error)
    for name in filter(layout.inside_name, names):
        for picture, folder in zip(paths.pictures(name), paths.picture_folders, strict=True):
            check_inside(picture.parent, paths.folder)
            remove_written(picture, folder)
    written = WrittenFiles(paths.folder)
    written.remove(name for name in written.names() if any(is_of_format(name, each) for each in FORMATS))
    left = [folder.name for folder in paths.picture_folders if folder.exists()]
    if left:
        logger.info("%s: files that no run wrote stay", ", ".join(left))
    written.keep(layout.PERSONS_FILES)
    state = (paths.state / name for name in layout.STATE_FILES if name != layout.WRITTEN)
    for file in (*(paths.folder / name for name in layout.RESULT_FILES), *state):
        file.unlink(missing_ok=True)
    if mirror is not None:
        mirror.start_afresh(names)
