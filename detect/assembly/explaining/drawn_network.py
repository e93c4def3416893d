"""Pictures of a network itself: its channels on a window, and what excites them."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from detect.assembly.explaining.asking_network import Asked, halo_of
from detect.explaining.aims import Aim
from detect.explaining.explained_page import MadePicture
from detect.explaining.explained_pictures import channel_sheet, patch_rows, photograph, sheet_columns
from detect.explaining.feature_maps import cropped, features_of, most_exciting, stage_ends, strongest_channels
from detect.explaining.maximisation import maximised
from detect.explaining.seen_tile import SeenTile, read_tile, tile_over
from detect.imagery.description.scene_opening import open_scene
from detect.imagery.finding.listing import list_images
from detect.imagery.scenes import SceneError
from detect.imagery.windows import Window
from detect.inference.engine import Engine
from detect.inference.tiles import Source
from detect.nets.heads.specs import WholeHead
from detect.nets.modelfile import Net
from detect.reporting.pictures.colours import to_display

logger = logging.getLogger(__name__)

DREAM_SIDE = 160
"""Side in pixels, about, of images that excite a channel or a class."""

CHANNELS_SHOWN, PATCHES_SHOWN, PATCH_CELLS, LEAST_PATCH = 4, 8, 6, 48
"""Channels whose strongest patches are shown, patches of each, and their side in cells of the layer, or pixels."""

LOOKED_AT = 256
"""Side in pixels, about, of the windows in which patches are looked for."""


def feature_pictures(asked: Asked, layer: str | None) -> Iterator[MadePicture]:
    """Yield a sheet of all channels of a layer on the window; by default one for the end of each stage."""
    card, window = asked.card, asked.place.window
    tile = asked.window_tile(tile_over(card, window, halo_of(card)))
    for name in [layer] if layer else stage_ends(asked.net, asked.tile.pixels):
        with torch.no_grad():
            features = features_of(asked.net, name, tile.pixels).cpu().numpy()
        part = cropped(features, tile, (window.row, window.col, window.height, window.width))
        number, height, width = part.shape
        words = (
            f"{number} channels of {height} x {width} cells, row by row from the left upper corner, "
            f"{sheet_columns(number)} in a row, each from its least value (dark) to its greatest."
        )
        yield MadePicture(f"features_{_plain(name)}", channel_sheet(part), f"Channels of {name}", (words,), "features")


def channel_of(asked: Asked, channel: str | None) -> tuple[str, list[int]]:
    """Return a layer and channels of it: the one that is asked for, else those that speak most for the first score.

    Raises:
        ValueError: there is no such layer or channel.
    """
    if channel is None:
        pixels = asked.tile.pixels
        return asked.layer, strongest_channels(asked.net, asked.layer, asked.aims[0], pixels, CHANNELS_SHOWN)
    layer, _, number = channel.rpartition(":")
    with torch.no_grad():
        known = len(features_of(asked.net, layer, asked.tile.pixels))
    if int(number) >= known:
        raise ValueError(f"channel={channel}: {layer} has {known} channels, numbered from 0")
    return layer, [int(number)]


def strongest_patches(
    asked: Asked, engine: Engine, root: Path, channel: str | None, samples: int, seed: int
) -> MadePicture:
    """Draw the patches of a folder's images that excite channels the most, among windows that are drawn by chance.

    Args:
        asked: the network.
        engine: of the model, which brings images to its resolution.
        root: the folder.
        channel: `LAYER:NUMBER`; None takes those that speak most for the first score.
        samples: number of windows.
        seed: of the chance.

    Raises:
        ValueError: no image of the folder can be read.
    """
    layer, channels = channel_of(asked, channel)
    tiles = list(_drawn_tiles(asked, engine, root, samples, seed))
    if not tiles:
        raise ValueError(f"data.root={root}: none of its images can be read for this model")
    with torch.no_grad():
        features = features_of(asked.net, layer, tiles[0][1].pixels)
    smallest = min(min(tile.pixels.shape[2:]) for _, tile in tiles)
    side = min(max(LEAST_PATCH, PATCH_CELLS * tiles[0][1].pixels.shape[2] // features.shape[1]), smallest)
    found = most_exciting(asked.net, layer, channels, tiles, side, PATCHES_SHOWN)
    rows = []
    for number in channels:
        patches = [(_picture(asked, each.pixels), f"{each.activation:.3g}  {each.image}") for each in found[number]]
        rows.append((f"channel {number} of {layer}", patches))
    words = (
        f"The patches of {side} pixels, one at most of each of {len(tiles)} windows of the data, that excite a "
        "channel the most."
    )
    return MadePicture("strongest_patches", patch_rows(rows), "Strongest patches", (words,), "features")


def _drawn_tiles(asked: Asked, engine: Engine, root: Path, samples: int, seed: int) -> Iterator[tuple[str, SeenTile]]:
    """Yield windows of a folder's images, drawn by chance; an image that cannot be read is told and passed over."""
    rng = np.random.default_rng(seed)
    images = list_images(root)
    drawn = rng.integers(len(images), size=samples)
    card, align = asked.card, asked.card.align
    side = max(1, LOOKED_AT // align) * align
    for number in np.unique(drawn):
        name, path = images[number]
        try:
            source = Source(name, engine.prepared(open_scene(path)))
            height, width = source.scene.shape
            for _ in range(int((drawn == number).sum())):
                row, col = (int(rng.integers(max(1, (size - side) // align + 1))) * align for size in (height, width))
                whole = isinstance(card.head, WholeHead)
                window = tile_over(card, Window(0, 0, 1, 1), 0) if whole else Window(row, col, side, side)
                yield name, read_tile(source, card.bands, window, asked.tile.pixels.device)
        except SceneError as error:
            logger.warning("%s: is passed over: %s", name, error)


def maximised_pictures(asked: Asked, channel: str | None) -> Iterator[MadePicture]:
    """Yield the image that excites a channel the most, or the classes of the scores."""
    card, net = asked.card, asked.net
    side = max(1, round(DREAM_SIDE / card.align)) * card.align
    middle = side // card.stride // 2
    wanted: list[tuple[str, str, Callable[[torch.Tensor], torch.Tensor]]] = []
    if channel is not None:
        layer, (number,) = channel_of(asked, channel)
        score = _channel_score(net, layer, number)
        wanted.append((f"{_plain(layer)}-{number}", f"channel {number} of {layer}", score))
    else:
        for aim in asked.aims:
            aimed = Aim(aim.name, aim.channel, (middle, middle))
            wanted.append((aim.stem, f"{aim.name} in the middle", aimed.score(net)))
    bounds = (0.0, 255.0) if card.dtype == "uint8" else None
    for stem, name, score in wanted:
        made, first, last = maximised(score, net.offset, net.scale, side, asked.seed, bounds)
        words = (
            f"{side} x {side} pixels made from noise: the score rises from {first:.3g} to {last:.3g}"
            f"{_compared(asked, channel)}."
        )
        facts = {"first": first, "last": last}
        picture = photograph(_picture(asked, made))
        yield MadePicture(f"maximised_{stem}", picture, f"What excites {name}", (words,), "maximise", facts=facts)


def _compared(asked: Asked, channel: str | None) -> str:
    """Return what the score of the object is, for comparison."""
    if channel is not None:
        return ""
    return "; that of the object is " + ", ".join(f"{score:.3g}" for score in asked.scores)


def _channel_score(net: Net, layer: str, number: int) -> Callable[[torch.Tensor], torch.Tensor]:
    def score(pixels: torch.Tensor) -> torch.Tensor:
        features = features_of(net, layer, pixels)[number]
        height, width = features.shape
        return features[height // 4 : height - height // 4, width // 4 : width - width // 4].mean()[None]

    return score


def _picture(asked: Asked, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return float pixels (bands, H, W) as a picture; bytes stay as they are."""
    if asked.card.dtype == "uint8":
        return to_display(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    return to_display(pixels)


def _plain(name: str) -> str:
    return name.replace(".", "-")
