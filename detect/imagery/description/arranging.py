"""The bands of images found for a network: by name where files tell names, else by number, which is told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from detect.imagery.description.band_names import ALPHA, GREY, RGB, display_numbers, plain_band_name
from detect.imagery.description.remarks import Remark
from detect.imagery.gdal.drivers import SceneError
from detect.imagery.scenes import Scene


@dataclass(frozen=True)
class Bands:
    """The bands that a network looks at.

    Attributes:
        numbers: of the bands, from 1, in the images that it learned from.
        names: what they are called there, empty where that is not known; () of a model made before names were kept.
    """

    numbers: tuple[int, ...]
    names: tuple[str, ...]


def learned_bands(scenes: Sequence[Scene], wanted: Sequence[int | str] | None) -> Bands:
    """Choose the bands that a network learns from images, whatever their order.

    Args:
        scenes: the images.
        wanted: band numbers from 1, or names; None takes red, green and blue where an image names them, else the first
            three that are not transparency, else the only one.

    Raises:
        ValueError: numbers below 1, or more than any image has; or names of which no image has all.
    """
    inward = sorted(scenes, key=lambda scene: str(scene.path))
    if not wanted:
        first = min(inward, key=lambda scene: _poverty(scene.band_names))
        numbers = display_numbers(first.band_names)
        return Bands(numbers, tuple(first.band_names[number - 1] for number in numbers))
    if any(isinstance(each, str) for each in wanted):
        return _named(inward, [str(each) for each in wanted])
    numbers = tuple(int(each) for each in wanted)
    if min(numbers) < 1:
        raise ValueError(f"data.bands are numbered from 1, got {list(numbers)}")
    able = [scene for scene in inward if scene.bands >= max(numbers)]
    if not able:
        raise ValueError(
            f"{inward[0].path} has {inward[0].bands} bands, band {max(numbers)} is needed; set data.bands or convert it"
        )
    named = [tuple(scene.band_names[number - 1] for number in numbers) for scene in able]
    return Bands(numbers, max(named, key=lambda names: sum(map(bool, names))))


def _named(scenes: Sequence[Scene], wanted: Sequence[str]) -> Bands:
    """Return the bands of some names."""
    names = tuple(plain_band_name(name) for name in wanted)
    for scene in scenes:
        if all(name and name in scene.band_names for name in names):
            return Bands(tuple(scene.band_names.index(name) + 1 for name in names), names)
    there = sorted({name for scene in scenes for name in scene.band_names if name})
    known = f"the images name {', '.join(there)}" if there else "the images name no bands: give their numbers"
    raise ValueError(f"data.bands=[{','.join(wanted)}]: no image has all of them; {known}")


def _poverty(names: Sequence[str]) -> int:
    """Return 0 for the bands of a named photograph, 1 for three bands or more, 2 for fewer."""
    if set(names) >= set(RGB):
        return 0
    return 1 if sum(name != ALPHA for name in names) >= 3 else 2


def arranged(scene: Scene, bands: Bands) -> Scene:
    """Return a scene with its bands in the places in which a network expects them.

    Bands are found by name where the model and the file name them all. Else they are taken by number where no name
    speaks against it, and a grey image is taken for red, green and blue alike.

    Args:
        scene: in which no band was moved yet.
        bands: of the network.

    Raises:
        SceneError: a band is missing, or the file calls it otherwise.
    """
    own = scene.band_names or ("",) * scene.bands
    names = bands.names or ("",) * len(bands.numbers)
    if all(name and name in own for name in names):
        found = tuple(own.index(name) + 1 for name in names)
        if found == bands.numbers:
            return scene
        told = Remark("bands are found by name, in other places", ", ".join(f"{n} is {own[n - 1]}" for n in found))
        return _moved(scene, bands, found, told)
    grey = [number for number, name in enumerate(own, start=1) if name != ALPHA]
    if len(grey) == 1 and own[grey[0] - 1] in ("", GREY) and _photograph(bands):
        told = Remark("grey images are read as red, green and blue alike", "")
        return _moved(scene, bands, tuple(grey * len(names)), told)
    return _by_number(scene, bands, own)


def _photograph(bands: Bands) -> bool:
    """Return whether a network looks at colours of a photograph alone."""
    if any(bands.names):
        return set(bands.names) <= set(RGB)
    return bands.numbers == (1, 2, 3)


def _by_number(scene: Scene, bands: Bands, own: Sequence[str]) -> Scene:
    """Return the scene as it is, where its bands are enough and no name speaks against their order."""
    if max(bands.numbers) > len(own):
        lacking = ", ".join(name for name in bands.names if name and name not in own)
        raise SceneError(
            f"{scene.path}: band {max(bands.numbers)} is needed{f' ({lacking})' * bool(lacking)}, the image has "
            f"{len(own)}; use a model for images of this kind, or convert the image"
        )
    if not bands.names:
        return _unnamed(scene, bands, own)
    there = [own[number - 1] for number in bands.numbers]
    for number, name, other in zip(bands.numbers, bands.names, there, strict=True):
        if other and name != other and (name or other == ALPHA):
            raise SceneError(
                f"{scene.path}: its band {number} is {other}, the model learned {name or 'another one'} there (bands "
                f"{_listed(own)}); use a model for images of this kind, or convert the image"
            )
    assumed = [
        (n, name) for n, name, other in zip(bands.numbers, bands.names, there, strict=True) if name and not other
    ]
    if not assumed or (len(own) == 1 and len(bands.numbers) == 1):
        return scene
    told = Remark(
        "bands without names are taken in the model's order", ", ".join(f"{n} as {name}" for n, name in assumed)
    )
    return replace(scene, remarks=(*scene.remarks, told))


def _unnamed(scene: Scene, bands: Bands, own: Sequence[str]) -> Scene:
    """Return the scene as it is, for a model that does not know what its bands are called."""
    there = [own[number - 1] for number in bands.numbers]
    usual = all(other in ("", GREY, name) for name, other in zip(RGB, there, strict=False)) and len(there) <= len(RGB)
    if usual or not any(there):
        return scene
    detail = ", ".join(f"{n} is {name}" for n, name in zip(bands.numbers, there, strict=True) if name)
    kind = "bands are taken by number, as the model is of a version that did not keep their names"
    return replace(scene, remarks=(*scene.remarks, Remark(kind, detail, warns=True)))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name or "?" for name in names)


def _moved(scene: Scene, bands: Bands, found: tuple[int, ...], told: Remark) -> Scene:
    """Return the scene with bands of the file in the network's places; the others stay where they are, or are none.

    Args:
        scene: the scene.
        bands: of the network.
        found: the file's number of each.
        told: what is said of it.
    """
    places = dict(zip(bands.numbers, found, strict=True))
    own = range(1, max(scene.bands, *bands.numbers) + 1)
    picked = tuple(places.get(number, number if number <= scene.bands else found[0]) for number in own)
    names = tuple(scene.band_names[number - 1] if scene.band_names else "" for number in picked)
    return replace(scene, bands=len(picked), band_names=names, picked=picked, remarks=(*scene.remarks, told))
