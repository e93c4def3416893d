"""The settings that `init=MODEL` brings along: those of the model's card, and a short schedule, before hydra composes.

They stand on the command line as if a person had given them, so that `config.yaml` has them and a resumed run is the
same.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from detect.assembly.given_paths import existing
from detect.assembly.renamed import folder_and_settings

if TYPE_CHECKING:
    from detect.nets.card import ModelCard

logger = logging.getLogger(__name__)

INIT = "init"
"""The setting that names the model."""

SHORT = "again"
"""The choice of `finetune` and of `trainer` for a training that starts from a model."""


def with_model(arguments: Sequence[str]) -> list[str]:
    """Return a command line with the settings that `init=MODEL` brings along, but for those that are given.

    A command line that cannot be parsed, a model that cannot be read, or another network than the model's leaves it as
    it is: they are errors later.

    Args:
        arguments: of the command line, in hydra's grammar.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(folder_and_settings(arguments)[1])
    except HydraException:
        return list(arguments)
    path = _model(parsed)
    card = None if path is None else _card(path)
    if card is None:
        return list(arguments)
    given = {each.key_or_group for each in parsed}
    if any(each.key_or_group == "net" and each.value() not in ("auto", card.head.name) for each in parsed):
        return list(arguments)
    brought = {name: value for name, value in _brought(card) if name not in given}
    text = [f"{name}={_written(value)}" for name, value in brought.items() if value is not None or "." in name]
    logger.info("%s=%s brings along: %s", INIT, path, " ".join(text))
    return [*text, *arguments]


def check_given(path: Path) -> None:
    """Check that a model is there, before anything else is read.

    Raises:
        OSError: it is not, or it is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{INIT}={path}: that is a folder; name the model in it, {path / 'model.safetensors'}")
    existing(path, INIT, "model")


def _model(parsed: Sequence[Override]) -> Path | None:
    """Return the model that a command line names by one `init=`; None where there is none, or several of `-m`."""
    named = [each for each in parsed if each.key_or_group == INIT and not each.is_sweep_override()]
    value = named[-1].value() if named else None
    text = getattr(value, "text", value)
    return Path(text) if isinstance(text, str) and text else None


def _card(path: Path) -> "ModelCard | None":
    """Read a model's card; None of a file that is none."""
    from detect.nets.header import read_card

    try:
        return read_card(path)
    except (ValueError, OSError):
        return None


def _brought(card: Any) -> Iterator[tuple[str, Any]]:
    """Yield the settings of a model, by their full names, and the schedule."""
    from detect.nets.heads.specs import GridHead, Head, PatchHead, WholeHead

    head: Head = card.head
    yield "net", head.name
    yield "finetune", SHORT
    yield "trainer", SHORT
    yield "net.backbone", card.backbone.name
    yield "net.stride", card.backbone.stride
    match head:
        case PatchHead():
            yield "net.stages", card.backbone.stages
            yield "net.patch_size", head.patch_size
        case WholeHead():
            yield from (("net.stages", card.backbone.stages), ("net.side", head.side), ("net.labels", head.labels))
        case GridHead():
            yield from (("net.deepest", head.deepest), ("net.width", head.width), ("net.slots", head.slots))
            if head.object_size is not None:
                yield "net.object_size", head.object_size
        case _:
            assert_never(head)
    yield "data.scale", card.resolution.scale
    yield "data.gsd", card.resolution.gsd
    if card.drawing is not None:
        yield from ((f"data.wafers.{name}", value) for name, value in asdict(card.drawing).items())


def _written(value: Any) -> str:
    """Return a value in hydra's grammar."""
    return "null" if value is None else str(value)
