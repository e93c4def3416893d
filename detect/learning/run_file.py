"""The file of a training's state: tensors and plain values in safetensors, without code, and no path is followed."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from lightning_fabric.plugins import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from detect.imagery.files import replace_file
from detect.learning.run_state import as_written, callback_states, fitting

if TYPE_CHECKING:
    from detect.learning.module import CountingModule

HEADER = "detect-run/1"
"""Key of the plain values in the file's header, with the version of the format."""

MOST_CHARACTERS = 1 << 24
"""Greatest length of the plain values as JSON: some ten thousand epochs of metrics."""

AFRESH = "overwrite=true starts afresh"


class RunFileError(ValueError):
    """A file that is no state of a training of this program, with the reason."""


class RunFile(CheckpointIO):
    """Writes Lightning's checkpoints as such files, and reads them by value: only what fits the run that asks.

    Args:
        settings: of the run, kept in the file so that a later one can be compared with them.
        earlier: with which settings the first epochs were trained, where those were others.
        labels: a hash of what is labelled.

    Attributes:
        module: the one that is trained; `Checkpoints` sets it.
    """

    def __init__(self, settings: Mapping[str, Any], earlier: list[dict[str, Any]], labels: str = "") -> None:
        self.settings = settings
        self.earlier = earlier
        self.labels = labels
        self.module: CountingModule | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint, whole or not at all."""
        assert self.module is not None
        tensors, facts = as_written(checkpoint, self.module)
        own = {"settings": self.settings, "earlier": self.earlier, "labels": self.labels}
        write_run_file(Path(path), tensors, {**facts, **own})

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint of this run.

        Raises:
            RunFileError: it is damaged or does not fit.
        """
        assert self.module is not None
        facts, tensors = read_run_facts(Path(path)), read_run_tensors(Path(path))
        try:
            made = fitting(tensors, facts, self.module)
            states = callback_states(tensors, facts)
            for callback in self.module.trainer.callbacks:  # type: ignore[attr-defined]
                if callback.state_key in states:
                    callback.load_state_dict(states[callback.state_key])
            return {**made, "pytorch-lightning_version": pl.__version__}
        except ValueError as error:
            raise RunFileError(f"{path} does not fit this run: {error}; {AFRESH}") from error

    def remove_checkpoint(self, path: Any) -> None:
        """Check that nobody asks for it: files are replaced, none is removed."""
        raise NotImplementedError


def write_run_file(path: Path, tensors: Mapping[str, Mapping[str, Tensor]], facts: Mapping[str, Any]) -> None:
    """Write groups of named tensors, and plain values, whole or not at all.

    Raises:
        OSError: the disk is full, or the folder cannot be written.
    """
    flat = {f"{group}/{name}": value for group, values in tensors.items() for name, value in values.items()}
    whole = {name: value.detach().cpu().contiguous() for name, value in flat.items()}
    with replace_file(path) as part:
        part.write_bytes(save(whole, metadata={HEADER: json.dumps(facts)}))


def read_run_facts(path: Path) -> dict[str, Any]:
    """Read the plain values of a file; its tensors are not touched.

    Raises:
        RunFileError: damaged, of another program or version, or larger than any training writes.
    """
    with _opened(path) as source:
        text = (source.metadata() or {}).get(HEADER)
    if text is None:
        raise RunFileError(f"{path} is no training's state of this version; {AFRESH}")
    if len(text) > MOST_CHARACTERS:
        raise RunFileError(f"{path}: its header has {len(text)} characters, more than {MOST_CHARACTERS}; {AFRESH}")
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RunFileError(f"{path} is damaged ({error}); {AFRESH}") from error
    if not isinstance(facts, dict):
        raise RunFileError(f"{path} is damaged (its header holds no values by name); {AFRESH}")
    return facts


def read_run_tensors(path: Path) -> dict[str, dict[str, Tensor]]:
    """Read the tensors of a file, by group and name; what the header claims was compared with the file's size.

    Raises:
        RunFileError: damaged.
    """
    groups: dict[str, dict[str, Tensor]] = {}
    with _opened(path) as source:
        for key in source.keys():  # noqa: SIM118
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = source.get_tensor(key)
    return groups


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Yield the open safetensors file; whatever is wrong with it is a `RunFileError`."""
    if not path.is_file():
        raise RunFileError(f"{path} is no file; {AFRESH}")
    try:
        with safe_open(path, framework="pt") as source:
            yield source
    except (SafetensorError, OSError) as error:
        raise RunFileError(f"{path} is damaged, or no training's state of this version ({error}); {AFRESH}") from error
