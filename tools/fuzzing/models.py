"""Inputs of the kind models: model files with headers, cards and tensors changed, given to `detect.predict`."""

import json
import struct
from typing import Any

from .case import Case, Material, Place, predict
from .material import write_image
from .mutations import changed_bytes, changed_data, places, with_value

FIELDS: dict[str, tuple[Any, ...]] = {
    "head.patch_size": (10**9, 0, -1, 1.5, "16", 2**63),
    "head.name": ("grid", "whole", "x"),
    "backbone.name": (
        "vit_giant_patch14_dinov2",
        "convnext_xxlarge",
        "hf-hub:a/b",
        "hf_hub:a/b",
        "local-dir:{outside}/keep",
        "torchvision/alexnet",
        "torchvision/../x",
        "../../x",
        "http://{address}/a",
        "tf_efficientnet_l2",
        "resnet18.a1_in1k",
    ),
    "backbone.stride": (0, -4, 1, 3, 32, 2**31),
    "backbone.stages": (1, 5, 10**9),
    "backbone.bands": (0, 1, 4, 100_000, 10**9),
    "bands": ([1, 2], [], [0, 1, 2], [4, 5, 6], [10**9] * 3, [1] * 100_000),
    "classes": (
        ["=1+1"],
        ["total"],
        ["image"],
        ["a", "a"],
        [""],
        ["a\nb"],
        ["a\rb"],
        ["@x", "-y"],
        ["<script>alert(1)</script>"],
        ["../../x"],
        [f"c{i}" for i in range(20_000)],
        [1],
    ),
    "dtype": ("float32", "uint16", "object", "x", "complex64", "O"),
    "halo": (10**9, 2**63, 1, 0, 7, None),
    "halo_auto": (10**9, 1, None),
    "resolution.scale": (1e-9, 1e9, 0, -1, 1e308, 1000.0),
    "resolution.gsd": (1e-9, 1e9, 0, -1),
    "offset": ([1e308] * 3, [float("nan")] * 3, [0, 0], []),
    "scale": ([0, 0, 0], [1e-308] * 3, [float("inf")] * 3, []),
    "threshold": (-1, 2, float("nan"), 0, 1),
    "separation": (0, 1e308, float("inf"), float("nan"), 10**9),
    "training": ([], {"notes": "x"}, {"notes": [[]]}, {"notes": ["<script>"] * 1000}, {"sizes": 3}),
    "format": ("detect/1", "detect/3", None),
}
"""Values of a card's entries that are wrong, huge, or lead elsewhere."""


def make_model_case(place: Place, material: Material) -> Case:
    """Make a model file with something wrong, and predict a small image with it."""
    place.input.mkdir()
    write_image(place.input / "good.png", 1, (96, 96))
    data = material.model.read_bytes()
    model = place.folder / "model.safetensors"
    rng = place.rng
    kind = rng.choice((_card_field, _card_field, _card_field, _card_value, _grid, _tensors, _length))
    if rng.random() < 0.2:
        changed, what = changed_bytes(data, rng)
    else:
        changed, what = kind(data, place)
    model.write_bytes(changed)
    return Case(what, (predict(model, place.input, place.out),))


def split_model(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header of a model file, and its tensors."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined_model(header: dict[str, Any], tensors: bytes) -> bytes:
    """Return a model file."""
    text = json.dumps(header).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + tensors


def with_card(data: bytes, card: Any) -> bytes:
    """Return a model file with another card."""
    header, tensors = split_model(data)
    header["__metadata__"]["detect"] = card if isinstance(card, str) else json.dumps(card)
    return joined_model(header, tensors)


def card_of(data: bytes) -> dict[str, Any]:
    """Return the card of a model file as plain data."""
    return dict(json.loads(split_model(data)[0]["__metadata__"]["detect"]))


def _card_field(data: bytes, place: Place) -> tuple[bytes, str]:
    card, words = card_of(data), []
    for _ in range(place.rng.choice((1, 1, 2))):
        name = place.rng.choice(list(FIELDS))
        value = place.rng.choice(FIELDS[name])
        if isinstance(value, str):
            value = value.replace("{outside}", str(place.outside)).replace("{address}", place.address)
        card = with_value(card, tuple(name.split(".")), value)
        words.append(f"{name}={str(value)[:40]}")
    return with_card(data, card), f"card {words}"


def _card_value(data: bytes, place: Place) -> tuple[bytes, str]:
    rng = place.rng
    if rng.random() < 0.15:
        text = rng.choice(("", "[]", "null", "{", "[" * 100_000, '{"format": "detect/2"}', '{"a":' * 5000, "9" * 5000))
        return with_card(data, text), f"card is {text[:20]!r}"
    card, what = changed_data(card_of(data), rng)
    return with_card(data, card), f"card {what}"


def _grid(data: bytes, place: Place) -> tuple[bytes, str]:
    """Return a file that claims to hold a grid head of extreme shape."""
    shape = {"name": "grid", "deepest": 4, "width": 16, "slots": 1, "object_size": None, "typical_size": 16}
    name = place.rng.choice(("deepest", "width", "slots", "object_size", "typical_size"))
    shape[name] = place.rng.choice((0, -1, 1, 3, 64, 20_000, 10**6, 10**9, 2**63, 1e308, "x", None))
    card = with_value(card_of(data), ("head",), shape)
    card["backbone"]["stride"] = 2
    return with_card(data, card), f"grid {name}={shape[name]}"


def _tensors(data: bytes, place: Place) -> tuple[bytes, str]:
    """Return a file whose tensors have other names, kinds, shapes or places."""
    header, tensors = split_model(data)
    ways = [each for each in places(header) if each[0] != "__metadata__"]
    way = place.rng.choice(ways)
    value: Any = place.rng.choice(
        ([], [10**9] * 4, [2**63], [-1], "F64", "BF16", "I64", "x", None, [0, 0], [0, 2**40], {})
    )
    return joined_model(with_value(header, way, value), tensors), f"{'.'.join(map(str, way))}={value}"


def _length(data: bytes, place: Place) -> tuple[bytes, str]:
    number = place.rng.choice((0, 1, 7, 2**31, 2**32, 2**63, 2**64 - 1, len(data), 100_000_001))
    return struct.pack("<Q", number) + data[8:], f"length of the header {number}"
