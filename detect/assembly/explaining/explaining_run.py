"""The run of `detect.explain`: one place of one image, every picture that is asked for, and the page of them."""

import logging
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from detect.assembly.engine.ready_engine import make_engine
from detect.assembly.explaining.asking_network import Asked, Explained, ask, explain, halo_of, on_device, shown_pixels
from detect.assembly.explaining.drawn_field import field_pictures
from detect.assembly.explaining.drawn_network import channel_of, feature_pictures, maximised_pictures, strongest_patches
from detect.assembly.explaining.layer_list import layer_part
from detect.assembly.explaining.place_choice import Place, counted, in_window, predicted, whole_image, with_sure_rank
from detect.assembly.folders import ExplainPaths
from detect.assembly.gate import checked_data, inference_defaults
from detect.assembly.given_paths import existing
from detect.assembly.output_folders import output_folder
from detect.assembly.settings.explain_settings import ExplainSettings
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.explaining.explained_page import LayerPart, MadePicture, PageSection, explained_page
from detect.explaining.explained_pictures import BRIGHT_SHARE, map_picture, photograph
from detect.explaining.method_names import ATTRIBUTIONS, MEANINGS, WORDS
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.windows import Window
from detect.inference.engine import Engine
from detect.inference.runtimes.torch_runtime import pick_device
from detect.inference.tiles import Source
from detect.labels.formats.detections_csv import read_detections
from detect.nets.card import ModelCard
from detect.nets.modelfile import Net
from detect.reporting.writing import write_bytes, write_json, write_text

logger = logging.getLogger(__name__)


def explain_folder(settings: ExplainSettings) -> Path:
    """Return the output folder, made and checked.

    Raises:
        FileExistsError: it holds what an earlier run wrote, and `overwrite` is false.
    """
    paths = ExplainPaths(settings.output)
    way_out = "overwrite=true replaces it, or name another folder"
    results = (paths.page, paths.facts)
    return output_folder(settings.output, results=results, allowed=settings.overwrite, way_out=way_out)


def explain_engine(net: Net, card: ModelCard, device: str, met: Mapping[str, Any] | None = None) -> Engine:
    """Return the engine of a model, run by torch, as it is looked into.

    Args:
        net: the network.
        card: its card.
        device: that it runs on.
        met: settings by which images are met, other than by default.
    """
    defaults = {**inference_defaults(), **(met or {})}
    chosen = {**defaults["runtime"], "device": device, "runtime": "torch"}
    return make_engine(checked_data({**defaults, "runtime": chosen}, InferenceSettings), net, card, card.threshold)


def _engine_and_device(settings: ExplainSettings, net: Net, card: ModelCard) -> tuple[Engine, torch.device]:
    """Return the engine of a model, and the device.

    Raises:
        ValueError: there is no such device.
    """
    try:
        return explain_engine(net, card, settings.device), pick_device(settings.device)
    except ValueError as error:
        raise ValueError(str(error).replace("runtime.device=", "device=")) from error


def choose_place(settings: ExplainSettings, engine: Engine, net: Net, card: ModelCard) -> Place:
    """Return the place that the settings name.

    Args:
        settings: window, predictions or neither, and the number of the object.
        engine: of the model.
        net: readable, on its device.
        card: of the model.

    Raises:
        ValueError: there is no such window or object.
        SceneError: the image cannot be read.
    """
    image = existing(settings.image, "image", "image")
    source = Source(image.name, engine.prepared(open_scene(image)))
    if settings.window is not None:
        window = Window(*settings.window)
        return in_window(source, engine, net, card, window, settings.detection, halo_of(card))
    if settings.predictions is not None:
        folder = existing(settings.predictions, "predictions", "folder")
        found = predicted(folder, image, lambda path: dict(read_detections(path)))
        return whole_image(source, found, settings.detection, settings.side, card)
    place = whole_image(source, counted(source, engine), settings.detection, settings.side, card)
    return with_sure_rank(place, engine, net, card, halo_of(card))


def explain_image(settings: ExplainSettings, net: Net, card: ModelCard, paths: ExplainPaths) -> None:
    """Explain a place of an image, and write pictures, tables, numbers and the page.

    Args:
        settings: what, and how.
        net: the model's network.
        card: its card.
        paths: of the output folder.
    """
    if settings.data.root is not None:
        existing(settings.data.root, "data.root", "folder")
    engine, device = _engine_and_device(settings, net, card)
    ready = on_device(net, device)
    place = choose_place(settings, engine, ready, card)
    asked = ask(ready, card, place, settings.class_, settings.layer, settings.seed)
    if settings.channel is not None:
        channel_of(asked, settings.channel)  # told before the minutes that all methods take
    sections, layers, table, numbers = _made(settings, asked, engine)
    if settings.overwrite:
        paths.clear()
    pictures = [picture for section in sections for picture in section.pictures]
    for made in pictures:
        write_bytes(made.data, paths.folder / f"{made.stem}.png")
    files = [f"{made.stem}.png" for made in pictures]
    if layers is not None:
        from pandas import DataFrame

        from detect.reporting.tables import write_table

        write_table(DataFrame(layers.rows, columns=list(layers.columns)), paths.layers)
        write_text(table, paths.layers.with_suffix(".txt"))
        files += [paths.layers.name, paths.layers.with_suffix(".txt").name]
    facts = _facts(settings, asked)
    again = {name: command_line(settings, place, name) for name in settings.methods}
    page = explained_page(settings.model.name, settings.image.name, facts, sections, layers, again)
    own = [paths.page.name, paths.facts.name]
    record = {"what": dict(facts), "pictures": numbers, "again": again, "files": [*files, *own]}
    write_json(record, paths.facts)
    write_text(page, paths.page)


def _made(
    settings: ExplainSettings, asked: Asked, engine: Engine
) -> tuple[list[PageSection], LayerPart | None, str, dict[str, Any]]:
    """Return the page's sections, the layers and their table as text, and the numbers of each picture."""
    window, xy = asked.place.window, asked.place.xy
    pixels = shown_pixels(asked, window)
    at = (xy[0] - window.col, xy[1] - window.row)
    box = asked.place.box
    boxes = [] if box is None else [tuple(e - (window.col, window.row)[i % 2] for i, e in enumerate(box))]
    title = f"Photograph: {asked.place.words}"
    sections = [PageSection("Photograph", [MadePicture("photograph", photograph(pixels, boxes, at), title)])]  # type: ignore[arg-type]
    methods = [name for name in ATTRIBUTIONS if name in settings.methods]
    explained = list(explain(asked, methods, settings.sanity))
    for aim in asked.aims:
        own = [attributed(each, map_picture(each.attribution, pixels)) for each in explained if each.aim == aim]
        if own:
            sections.append(PageSection(f"What counts for {aim.name}", own, _map_words(settings.sanity)))
    if "features" in settings.methods:
        logger.info("drawing %s", WORDS["features"].lower())
        own = list(feature_pictures(asked, settings.layer))
        if settings.data.root is not None:
            data = settings.data.root, settings.channel, settings.data.windows
            own.append(strongest_patches(asked, engine, *data, settings.seed))
        sections.append(PageSection("Feature maps", own, wide=True))
    if "maximise" in settings.methods:
        logger.info("%s: the image that excites it is made", WORDS["maximise"].lower())
        sections.append(PageSection("What excites it", list(maximised_pictures(asked, settings.channel))))
    if "field" in settings.methods:
        logger.info("measuring the %s", WORDS["field"].lower())
        sections.append(PageSection("What a cell sees", [field_pictures(asked)], wide=True))
    layers, table = layer_part(asked, settings.model) if "layers" in settings.methods else (None, "")
    numbers = {picture.stem: picture.facts for section in sections for picture in section.pictures if picture.facts}
    return sections, layers, table, numbers


def attributed(made: Explained, picture: Any) -> MadePicture:
    """Return the picture of an attribution with what is said of it."""
    words = [MEANINGS[made.method], *(f"{note[:1].upper()}{note[1:]}." for note in made.attribution.notes)]
    if made.likeness is not None and not made.warning:
        words.append(f"Rank correlation with the map of random weights: {made.likeness:.2f}.")
    facts = {**made.attribution.facts, "likeness": made.likeness, "seconds": round(made.seconds, 2)}
    return MadePicture(
        f"{made.method}_{made.aim.stem}",
        picture,
        WORDS[made.method],
        tuple(words),
        made.method,
        made.warning,
        facts,
    )


def _map_words(sanity: bool) -> tuple[str, ...]:
    """Return what the colours of maps mean, and how they were checked."""
    colours = (
        "Colours lie on the photograph in grey: pixels without a colour do not count; purple, orange and yellow count "
        "ever more, and of maps with two signs the deeper the red or blue is. Each map has a scale of its own, whose "
        f"end is what {BRIGHT_SHARE:g} % of its pixels that count do not exceed."
    )
    if not sanity:
        return (colours,)
    return (
        colours,
        "Every map was made with the weights shuffled, too (sanity check, Adebayo et al. 2018): one that stays alike "
        "does not show what was learned.",
    )


def _facts(settings: ExplainSettings, asked: Asked) -> list[tuple[str, str]]:
    """Return names and values on what is explained."""
    window, tile, card = asked.place.file_window, asked.tile.window, asked.card
    scores = ", ".join(f"{aim.name} {score:.4g}" for aim, score in zip(asked.aims, asked.scores, strict=True))
    return [
        ("Image", str(settings.image)),
        ("Model", f"{settings.model} ({card.head.name}, {card.backbone.name})"),
        ("Explained", asked.place.words),
        ("Raw score", scores),
        ("Window", f"[{window.row},{window.col},{window.height},{window.width}] in pixels of the file"),
        ("Network is shown", f"{tile.height} x {tile.width} pixels about it, of which a cell's context is a part"),
        ("Features of Grad-CAM", asked.layer),
    ]


def command_line(settings: ExplainSettings, place: Place, method: str) -> str:
    """Return the command line that makes the pictures of one method again, into a folder of its own."""
    given: dict[str, Any] = {"model": settings.model, "image": settings.image}
    given["output"] = f"{settings.output}-{method}"
    given |= _place_settings(settings, place)
    root = settings.data.root if method == "features" else None
    optional: Mapping[str, Any] = {
        "class": settings.class_,
        "layer": settings.layer,
        "channel": settings.channel if method == "maximise" or (root is not None and method == "features") else None,
        "data.root": root,
        "data.windows": None if root is None else settings.data.windows,
        "sanity": None if settings.sanity else "false",
    }
    given |= {name: value for name, value in optional.items() if value is not None}
    given |= {"methods": f"[{method}]", "seed": settings.seed}
    return " ".join(["python -m detect.explain", *(shlex.quote(f"{name}={value}") for name, value in given.items())])


def _place_settings(settings: ExplainSettings, place: Place) -> dict[str, Any]:
    """Return the settings that find a place again, without counting the image where that can be left out."""
    if settings.window is not None:
        return {"window": f"[{','.join(map(str, settings.window))}]", "detection": settings.detection}
    if settings.predictions is not None:
        return {"predictions": settings.predictions, "detection": settings.detection, "side": settings.side}
    if place.rank is not None:
        window = place.file_window
        return {"window": f"[{window.row},{window.col},{window.height},{window.width}]", "detection": place.rank}
    return {"detection": settings.detection, "side": settings.side}
