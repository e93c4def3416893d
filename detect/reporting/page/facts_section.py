"""The page's section of facts: the model, its settings and the amount of data."""

from typing import Any

from detect.nets.heads.specs import WholeHead
from detect.reporting.output.predictions import Predictions
from detect.reporting.page.value_texts import format_value
from detect.reporting.tables import IMAGE, TOTAL


def tells_whole_images(content: Predictions) -> bool:
    """Return whether the model tells patterns of whole images, instead of finding objects in them."""
    return bool(content.model.get("kind") == WholeHead.name)


def _expected(content: Predictions) -> str | None:
    """Return the number of objects that is expected by probabilities, in words; None where no image has one.

    It is a sum over images: what several of them show is in it as often, which is said where that was looked for.
    """
    if not content.expected:
        return None
    some = f" in {len(content.expected):,} images" if len(content.expected) < len(content.counts) else ""
    again = ", with repeats in several images" if _different(content) is not None else ""
    return f"{sum(content.expected.values()):,.1f} objects{some}{again}"


def facts_section(content: Predictions) -> list[tuple[str, str]]:
    """Return (name, value as text) of the model, its settings and the amount of data.

    Speed and date are in `run.json` alone: the page of a run that was killed and continued is the same as that of one
    that was not.
    """
    run, model = content.run, content.model
    whole = run.get("valid_pixels") == run.get("pixels")
    alone = tells_whole_images(content) or not model.get("nms_iou")
    overlap = None if alone else f"IoU {format_value(model['nms_iou'])}"
    facts = [
        ("Model", str(model["path"]).replace("\\", "/").rsplit("/", 1)[-1] if "path" in model else None),
        ("Score threshold", model.get("threshold")),
        ("Expected by probabilities", _expected(content)),
        ("Least distance of two", f"{format_value(model['radius'])} px" if model.get("radius") else None),
        ("Greatest overlap of two boxes", overlap),
        ("Images resampled by", model.get("image_scale") if model.get("image_scale") != 1 else None),
        ("Images resampled to", f"{format_value(model['gsd'])} m a pixel" if model.get("gsd") else None),
        ("Images", f"{len(content.counts):,} done, {len(content.failures):,} failed"),
        ("Pixels read", _megapixels(run.get("pixels"))),
        ("Pixels surveyed", None if whole else _megapixels(run.get("valid_pixels"))),
        *_area_facts(content),
        ("Computed with", _runtime(run.get("settings"))),
        ("Version", run.get("version")),
    ]
    return [(name, format_value(value)) for name, value in facts if value is not None]


def _area_facts(content: Predictions) -> list[tuple[str, str]]:
    """Return the surveyed area and the density on it, of the images whose ground resolution is known."""
    counted = dict(zip(content.counts[IMAGE], content.counts[TOTAL], strict=True))
    areas = {name: part.hectares for name, part in content.surveyed.items() if part.hectares is not None}
    area = sum(areas.values())
    if not area:
        return []
    number = sum(int(counted[name]) for name in areas if name in counted)
    of = "" if len(areas) == len(counted) else f", in the {len(areas):,} images whose resolution is known"
    density = f"{format_value(number / area)} objects per surveyed hectare{of}"
    different = _different(content)
    each = "" if different is None else ", ground that several images show each time"
    facts = [("Area surveyed", f"{format_value(area)} hectares{each}"), ("Density", density)]
    return facts if different is None else [*facts, ("Different on the ground", f"{format_value(different)} objects")]


def _different(content: Predictions) -> int | None:
    """Return the number of different objects on the ground, None where they were not looked for."""
    overlap = content.run.get("overlap")
    number = overlap.get("unique") if isinstance(overlap, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _runtime(settings: Any) -> str | None:
    """Return in one line how counts were computed (runtime, views, how images were met), None where it is not known."""
    if not isinstance(settings, dict) or "runtime" not in settings:
        return None
    names = ("runtime", "precision", "device")
    parts = [f"{settings['runtime']}", *(f"{settings[name]}" for name in names[1:] if name in settings)]
    if settings.get("tta", "none") != "none":
        parts.append(f"test-time augmentation {settings['tta']}")
    if isinstance(settings.get("adapt"), list):
        parts.append(f"images met by {' and '.join(map(str, settings['adapt']))}")
    if "rescale" in settings:
        parts.append(f"rescaled by {settings.get('rescale_factor', settings['rescale'])}")
    return ", ".join(parts)


def _megapixels(pixels: Any) -> str | None:
    """Format a number of pixels as megapixels, None where it is not known."""
    return f"{format_value(pixels / 1e6)} megapixels" if isinstance(pixels, int | float) else None
