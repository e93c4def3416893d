"""What a run of predictions records: on what its results depend, and the facts of `run.json`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from detect import __version__
from detect.assembly.machine.run_memory import EARLIER
from detect.assembly.prediction.run_threshold import notes_on_views, told_threshold
from detect.assembly.prediction.survey_scale import scale_settings
from detect.assembly.prediction.told_counts import MOST_TOLD
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.assembly.settings.predict_settings import PredictSettings
from detect.imagery.description.shown import AS_SHOWN
from detect.reporting.output import layout

if TYPE_CHECKING:
    from detect.inference.engine import Engine
    from detect.nets.card import ModelCard


def result_settings(settings: InferenceSettings, engine: "Engine", card: "ModelCard") -> dict[str, Any]:
    """Return what the results depend on beside the model.

    Memory and tiles are not among it with an exact halo; with a smaller one the last digits of the logits depend on
    them.
    """
    from detect.inference.views import SCALES

    runtime: Any = getattr(engine.runtime, "runtime", engine.runtime)
    exact = card.halo is not None and engine.plan.halo >= card.halo
    combine: dict[str, Any] = {} if settings.tta == "none" else {"tta_combine": settings.tta_combine}
    if settings.tta.endswith(SCALES):
        combine["tta_scales"] = list(settings.tta_scales)
    adapt = {"adapt": list(settings.adapt), "adapt_share": settings.adapt_share} if settings.adapt else {}
    tiles = {} if exact else {"tile_pixels": engine.plan.area}
    keeps = isinstance(settings, PredictSettings) and settings.truncated == "keep"
    kept = {"truncated": "keep"} if keeps else {}
    return {
        **combine,
        **adapt,
        **scale_settings(settings, engine),
        **tiles,
        **kept,
        "threshold": told_threshold(engine, card),
        "halo": engine.plan.halo,
        "tta": settings.tta,
        "runtime": runtime.name,
        "precision": runtime.precision,
        "device": runtime.device.type,
        "pixels": AS_SHOWN,
        "version": __version__,
    }


def remembered(settings: InferenceSettings) -> dict[str, Any]:
    """Return what a run that goes on takes over, if it is not told otherwise, and no result depends on by itself."""
    assert settings.max_memory is not None
    return {EARLIER: settings.max_memory.text}


def run_facts(
    settings: PredictSettings,
    engine: "Engine",
    card: "ModelCard",
    results: Mapping[str, Any],
    passed_over: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Return what `run.json` says of versions, model, settings and files that are not looked at (by the reason)."""
    import timm
    import torch

    from detect.reporting.output.products import PRODUCTS

    return {
        "version": __version__,
        "versions": {"torch": torch.__version__, "timm": timm.__version__},
        "model": {"path": str(settings.model), **model_facts(card, told_threshold(engine, card))},
        "settings": {
            "images": str(settings.images),
            **results,
            **remembered(settings),
            "write": [name for name in PRODUCTS if name in settings.write],
            **({"heatmaps": settings.heatmaps} if layout.HEATMAPS in settings.write else {}),
        },
        "notes": [*card.training.get("notes", ()), *notes_on_views(settings), *_notes_on_passed(passed_over)],
        "passed_over": {reason: list(names) for reason, names in passed_over.items()},
    }


def _notes_on_passed(passed_over: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a sentence for each reason for which files are not looked at."""
    sentences = []
    for reason, names in passed_over.items():
        more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
        sentences.append(f"files passed over: {len(names):,} ({reason}): {', '.join(names[:MOST_TOLD])}{more}")
    return sentences


def model_facts(card: "ModelCard", threshold: float | Mapping[str, float]) -> dict[str, Any]:
    """Return what a reader of the report wants to know of a model.

    Args:
        card: the model's.
        threshold: least score of a detection in this run, or one a class.
    """
    from detect.assembly.evaluation.recorded_labels import LABELS, TRAINING_IMAGES, label_facts
    from detect.evaluation.seen import TrainingImages

    return {
        "kind": card.head.name,
        "backbone": asdict(card.backbone),
        "classes": card.classes,
        "patch_size": card.head.typical_size,
        "threshold": threshold,
        "radius": card.radius,
        "nms_iou": card.nms_iou,
        "bands": card.bands,
        "band_names": card.band_names,
        "image_scale": card.resolution.scale,
        "gsd": card.resolution.gsd,
        "wafers": None if card.drawing is None else card.drawing.record(),
        "matching": card.training.get("matching"),
        LABELS: label_facts(card.training),
        TRAINING_IMAGES: TrainingImages.from_record(card.training).to_record(),
    }
