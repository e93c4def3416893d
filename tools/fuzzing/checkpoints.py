"""Inputs of the kind checkpoints: folders of a stopped training, given to `detect.train resume=true`."""

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from .case import Case, Material, Place
from .models import joined_model, split_model
from .mutations import at, changed_bytes, changed_data, places, with_value

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""YAML of aliases that stand for 9^9 values ("billion laughs")."""

MERGES = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{<<: [{','.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""YAML of merged mappings that stand for 9^8 pairs, which the reader copies."""

PROGRAM = "!!python/object/apply:os.mkdir ['{outside}/made']\n"

PATHS = (
    "local://{outside}/keep",
    "file://{outside}/keep",
    "{outside}/keep",
    "{out}/checkpoints/../../../outside/keep",
    "http://{address}/a.ckpt",
    "local:///{outside}/secret.txt",
    "memory://a",
    "github://a:b@main/c",
    "../../outside/keep",
    "simplecache::http://{address}/a",
)
"""Where a checkpoint's paths may point to."""


class Program:
    """An object whose pickle makes a folder when it is read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def make_checkpoint_case(place: Place, material: Material) -> Case:
    """Make the folder of a training that was stopped after its first epoch, with something wrong, and go on with it."""
    shutil.copytree(material.training, place.out)
    family = place.rng.choice((_paths, _paths, _value, _value, _value, _tensor, _program, _bytes, _config, _no_file))
    what = family(place)
    return Case(what, (("train", *material.settings, f"output={place.out}"),))


def _checkpoint(place: Place) -> Path:
    return place.out / "checkpoints" / place.rng.choice(("last.ckpt", "last.ckpt", "best.ckpt"))


def _header(path: Path) -> tuple[dict[str, Any], str, bytes]:
    """Return the header of a state, the key of its plain values, and its tensors."""
    header, tensors = split_model(path.read_bytes())
    return header, next(iter(header["__metadata__"])), tensors


def _paths(place: Place) -> str:
    """Put a checkpoint of Lightning's own in the place of one, with the paths that it follows pointing elsewhere."""
    path = _checkpoint(place)
    where = place.rng.choice(PATHS).format(outside=place.outside, out=place.out, address=place.address)
    names = ("last_model_path", "best_model_path", "kth_best_model_path")
    chosen = names if place.rng.random() < 0.5 else (place.rng.choice(names),)
    folder = str(place.out / "checkpoints")
    kept = {"monitor": "val/f1", "dirpath": folder, "best_k_models": {where: torch.tensor(-1.0)}}
    kept |= {"best_model_score": torch.tensor(-1.0), "kth_value": torch.tensor(-1.0), **dict.fromkeys(chosen, where)}
    name = "ModelCheckpoint{'monitor': 'val/f1', 'mode': 'max', 'every_n_train_steps': 0, 'every_n_epochs': 1, "
    weights = {name: torch.zeros(1) for name in ("net.head.weight", "net.head.bias")}
    state = {"epoch": 0, "global_step": 2, "pytorch-lightning_version": "2.6.0", "state_dict": weights, "loops": {}}
    state |= {"callbacks": {name + "'train_time_interval': None}": kept}, "optimizer_states": [], "lr_schedulers": []}
    torch.save(state, path)
    return f"{path.name}: Lightning's, {'+'.join(chosen)}={where}"


def _value(place: Place) -> str:
    """Replace any of the plain values, or all of them."""
    path, rng = _checkpoint(place), place.rng
    header, key, tensors = _header(path)
    if rng.random() < 0.15:
        text = rng.choice(("", "[]", "null", "{", "[" * 100_000, '{"a":' * 5000, "9" * 5000, "{}", "NaN"))
        what = f"another text {text[:9]!r}"
    else:
        facts = json.loads(header["__metadata__"][key])
        if rng.random() < 0.3:
            ways = [way for way in places(facts) if isinstance(at(facts, way), str)]
            where = rng.choice(PATHS).format(outside=place.outside, out=place.out, address=place.address)
            way = rng.choice(ways) if ways else ("x",)
            changed, what = with_value(facts, way, where), f"{'.'.join(map(str, way))}={where}"
        else:
            kept = facts.pop("settings") if "settings" in facts and rng.random() < 0.7 else None
            changed, what = changed_data(facts, rng)
            changed |= {} if kept is None else {"settings": kept}
        text = json.dumps(changed)
    header["__metadata__"][key] = text
    path.write_bytes(joined_model(header, tensors))
    return f"{path.name}: {what[:150]}"


def _tensor(place: Place) -> str:
    """Give tensors other kinds, shapes, places or names."""
    path, rng = _checkpoint(place), place.rng
    header, _, tensors = _header(path)
    ways = [way for way in places(header) if way[0] != "__metadata__"]
    way = rng.choice(ways)
    if len(way) == 1 and rng.random() < 0.5:
        header["../../outside/keep/" + str(way[0])] = header.pop(way[0])
        what = f"{way[0]} renamed"
    else:
        value: Any = rng.choice(
            ([], [10**9] * 4, [2**63], [-1], "F64", "BF16", "I64", "x", None, [0, 0], [0, 2**40], {})
        )
        header, what = with_value(header, way, value), f"{'.'.join(map(str, way))}={value}"
    path.write_bytes(joined_model(header, tensors))
    return f"{path.name}: {what}"


def _program(place: Place) -> str:
    """Write a pickle that runs code: plain, of torch's old and new format, or among the entries of a good one."""
    path = _checkpoint(place)
    state: dict[str, Any] = {"state_dict": {}, "callbacks": {}}
    program = Program(place.outside / "made")
    kind = place.rng.choice(("plain", "old", "new", "entry", "callback"))
    if kind == "plain":
        path.write_bytes(pickle.dumps(program))
    elif kind in ("old", "new"):
        torch.save(program, path, _use_new_zipfile_serialization=kind == "new")
    else:
        (state if kind == "entry" else state["callbacks"])["x"] = program
        torch.save(state, path)
    return f"{path.name}: a pickle that runs code, {kind}"


def _bytes(place: Place) -> str:
    """Change bytes of a file, or of a part of a checkpoint's zip."""
    name = place.rng.choice(("last.ckpt", "last.ckpt", "best.ckpt", "config.yaml", "metrics.csv"))
    path = place.out / name if "." in name and not name.endswith("ckpt") else place.out / "checkpoints" / name
    data, what = changed_bytes(path.read_bytes(), place.rng)
    path.write_bytes(data)
    return f"{name}: {what}"


def _config(place: Place) -> str:
    """Write settings that are a bomb, a program, other kinds of values or huge."""
    path = place.out / "config.yaml"
    text = path.read_text(encoding="utf-8")
    texts = {
        "bomb": BOMB,
        "merges": MERGES,
        "bomb beside the settings": f"{text}\n{BOMB}",
        "program": PROGRAM.format(outside=place.outside),
        "program beside the settings": f"{text}\nx: {PROGRAM.format(outside=place.outside)}",
        "list": "[]\n",
        "empty": "",
        "deep": "[" * 20_000,
        "number": f"seed: {'9' * 5000}\n",
        "merge": "a: &a {<<: *a}\n",
        "keys": "? [a]\n: 1\n? {b: 1}\n: 2\n1: 2\nnull: 3\n",
        "tabs": "\t- a\n",
        "output elsewhere": text.replace("output:", f"output: {place.outside}/keep #"),
        "a date": "seed: 2020-99-99\n",
    }
    kind = place.rng.choice(list(texts))
    path.write_text(texts[kind], encoding="utf-8")
    return f"config.yaml: {kind}"


def _no_file(place: Place) -> str:
    """Put a folder, FIFO or link in a file's place, or a link in a folder's."""
    name = place.rng.choice(
        ("checkpoints/last.ckpt", "checkpoints/best.ckpt", "config.yaml", "metrics.csv", "checkpoints")
    )
    path = place.out / name
    kind = place.rng.choice(("folder", "fifo", "link out", "broken link", "missing"))
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if kind == "folder":
        (path / "a").mkdir(parents=True)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link out":
        path.symlink_to(place.outside / ("keep" if name == "checkpoints" else "secret.txt"))
    elif kind == "broken link":
        path.symlink_to(place.outside / "made")
    return f"{name}: {kind}"
