"""How the images of a command are opened: what its settings, its model or the run that it is about say of them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detect.imagery.wafers.drawn.drawing import Drawing

KEEP = "keep"
"""The value of `truncated` by which lists that are cut off are read as far as they go."""


@contextmanager
def opened_as_set(settings: Any) -> Iterator[None]:
    """Open the images of the block as a command's settings say: which VRTs, and how lists of defects are drawn."""
    from detect.assembly.settings.evaluate_settings import EvaluateSettings
    from detect.assembly.settings.predict_settings import PredictSettings
    from detect.assembly.settings.train_settings import LearningSettings
    from detect.imagery.finding.listing import images_root
    from detect.imagery.mosaics import MosaicRule, mosaics_by
    from detect.imagery.wafers.drawn.drawing import drawn_by

    with ExitStack() as opened:
        if isinstance(settings, PredictSettings):
            opened.enter_context(mosaics_by(MosaicRule(images_root(settings.images), settings.vrt == "trusted")))
        elif isinstance(settings, LearningSettings | EvaluateSettings):
            roots = settings.data.root or ()
            below = roots[0] if len(roots) == 1 else None
            opened.enter_context(mosaics_by(MosaicRule(below, settings.data.vrt == "trusted")))
        opened.enter_context(drawn_by(*_lists(settings)))
        yield


def _lists(settings: Any) -> "tuple[Drawing | None, bool]":
    """Return how lists of defects are drawn, and whether such as are cut off are read as far as they go.

    Both are as set in training, else as the model and the settings have them, or the run that a command is about. What
    is wrong with a model or a run is left to the command, which reads it too.
    """
    from detect.assembly.settings.train_settings import LearningSettings

    if isinstance(settings, LearningSettings):
        return settings.data.wafers, settings.data.truncated == KEEP
    with suppress(OSError, ValueError):
        if getattr(settings, "predictions", None) is not None:
            return _lists_of_run(settings.predictions)
        if getattr(settings, "model", None) is not None:
            from detect.nets.header import read_card

            said = getattr(settings, "data", settings)
            return read_card(settings.model).drawing, getattr(said, "truncated", None) == KEEP
    return None, False


def _lists_of_run(folder: Any) -> "tuple[Drawing | None, bool]":
    """Return how a run drew lists of defects, None where it has none, and whether it read such as are cut off.

    Raises:
        ValueError: what it says cannot be.
        OSError: it cannot be read.
    """
    from detect.imagery.wafers.drawn.drawing import drawing_of
    from detect.labels.json_files import read_json_object
    from detect.reporting.output.layout import PredictionPaths

    facts = PredictionPaths(folder).run_facts
    run = read_json_object(facts, folder) if facts.exists() else {}
    model, settings = run.get("model"), run.get("settings")
    drawing = drawing_of(model.get("wafers")) if isinstance(model, dict) else None
    return drawing, isinstance(settings, dict) and settings.get("truncated") == KEEP
