"""Output folders: what each command writes into its own, and how one is made and cleared."""

import os
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from detect.imagery.files import check_inside, part_name, remove_parts, remove_written
from detect.imagery.finding.spelling import meant
from detect.reporting.output.layout import BY_CLASS, CLASSES, ERRORS, SCORES, PredictionPaths

if TYPE_CHECKING:
    from detect.assembly.settings.train_settings import TrainerSettings

NAME_LENGTH = 40
"""Characters of a setting in the name of a folder, at most."""


@dataclass(frozen=True)
class TrainingPaths:
    """What a training run writes into its output folder."""

    folder: Path

    @property
    def model(self) -> Path:
        """Weights and card."""
        return self.folder / "model.safetensors"

    @property
    def config(self) -> Path:
        """The settings of the run."""
        return self.folder / "config.yaml"

    @property
    def scores(self) -> Path:
        """Scores of the validation images."""
        return self.folder / SCORES

    @property
    def metrics(self) -> Path:
        """A row an epoch."""
        return self.folder / "metrics.csv"

    @property
    def curves(self) -> Path:
        """The metrics as a picture."""
        return self.folder / "curves.png"

    @property
    def checkpoints(self) -> Path:
        """Folder of the training's state."""
        return self.folder / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """The state after the last whole epoch, from which a run goes on."""
        return self.checkpoints / "last.ckpt"

    @property
    def best_checkpoint(self) -> Path:
        """The weights of the best epoch so far."""
        return self.checkpoints / "best.ckpt"

    @property
    def folds(self) -> Path:
        """Folder of what the short trainings found that threshold and epoch are chosen on."""
        return self.folder / "folds"

    def fold(self, number: int) -> Path:
        """Return the file of what the short training of a fold, from 1, found in the images that it left out."""
        return self.folds / f"{number}.safetensors"

    def fold_metrics(self, number: int) -> Path:
        """Return the table of the short training of a fold, from 1: a row an epoch."""
        return self.folds / f"{number}.csv"

    @property
    def validation(self) -> Path:
        """Folder of pictures of the validation images."""
        return self.folder / "validation"

    @property
    def test(self) -> Path:
        """Folder of the scores of the test images."""
        return self.folder / "test"

    @property
    def test_scores(self) -> Path:
        """Scores of the test images."""
        return EvaluationPaths(self.test).scores

    @property
    def results(self) -> tuple[Path, ...]:
        """By which an earlier run is known."""
        return self.checkpoints, self.folds, self.model

    def clear_unfinished(self) -> None:
        """Remove the files that a killed run was writing; they have names that no other program gives.

        Raises:
            ValueError: a folder in it is a link that leads elsewhere.
        """
        for folder in (self.folder, self.checkpoints, self.folds, self.validation):
            check_inside(folder, self.folder)
            remove_parts(folder)

    def clear(self, *, keep_folds: bool = False) -> None:
        """Remove what an earlier run wrote, and folders that are then empty; anything else stays.

        Args:
            keep_folds: whether what short trainings found stays too.

        Raises:
            ValueError: a folder in it is a link that leads elsewhere.
        """
        from detect.reporting.classes.class_folder import clear_classes
        from detect.reporting.pictures.scene_errors import clear_scenes

        logs = self.folder / "tensorboard"
        for part in (self.checkpoints, self.folds, self.validation, self.test, logs):
            check_inside(part, self.folder)
        clear_scenes(self.validation)
        clear_scenes(EvaluationPaths(self.test).errors)
        clear_classes(self.test)
        for file in (
            *(self.model, self.scores, self.metrics, self.curves, self.config),
            *(self.last_checkpoint, self.best_checkpoint),
            *([] if keep_folds else self._fold_files()),
            *(self.validation / name for name in ("confusion.png", "worst.jpg", "reliability.png")),
            *(self.test_scores, PredictionPaths(self.test).written),
            *(file for file in logs.glob("*") if file.name == "hparams.yaml" or ".tfevents." in file.name),
        ):
            remove_written(file, self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def _fold_files(self) -> list[Path]:
        """Return the files of the folds that are there."""
        kinds = (".safetensors", ".csv")
        return [file for file in self.folds.glob("*") if file.stem.isdecimal() and file.suffix in kinds]


@dataclass(frozen=True)
class EvaluationPaths:
    """What an evaluation writes into its output folder, which may be that of the predictions."""

    folder: Path

    @property
    def scores(self) -> Path:
        """Scores of the images."""
        return self.folder / SCORES

    @property
    def errors(self) -> Path:
        """Folder of pictures of what was missed and of false alarms."""
        return self.folder / ERRORS

    @property
    def classes(self) -> Path:
        """Folder of the figures of a classifier."""
        return self.folder / CLASSES


@dataclass(frozen=True)
class FoldsPaths:
    """What `detect.folds` writes into its output folder."""

    folder: Path

    @property
    def runs(self) -> Path:
        """A row a run."""
        return self.folder / "runs.csv"

    @property
    def summary(self) -> Path:
        """A row a setting: means over its runs."""
        return self.folder / "summary.csv"

    @property
    def confusion(self) -> Path:
        """The confusions of each setting's runs, added up."""
        return self.folder / "confusion.csv"


@dataclass(frozen=True)
class RateSearchPaths:
    """What `detect.find_lr` writes into its output folder."""

    folder: Path

    @property
    def table(self) -> Path:
        """The loss at each factor of the learning rates."""
        return self.folder / "find_lr.csv"

    @property
    def picture(self) -> Path:
        """The same, drawn."""
        return self.folder / "find_lr.png"


def written_by_runs(folder: Path) -> set[str]:
    """Return the names of what earlier runs wrote into a folder, if it is an output folder: pictures are among it."""
    predictions, training = PredictionPaths(folder), TrainingPaths(folder)
    names: set[Path] = set()
    if predictions.state.is_dir() or (predictions.run_facts.is_file() and predictions.counts.is_file()):
        names |= {*predictions.picture_folders, predictions.errors}
    if EvaluationPaths(folder).scores.is_file():
        names |= {EvaluationPaths(folder).errors}
    if (EvaluationPaths(folder).classes / BY_CLASS).is_file():
        names |= {EvaluationPaths(folder).classes}
    if training.model.is_file() and training.config.is_file():
        names |= {training.checkpoints, training.folds, training.validation, training.test, training.curves}
    return {path.name for path in names}


def first_process(trainer: "TrainerSettings") -> bool:
    """Return whether this process of a training writes and logs: the only one, or the first on several devices."""
    if trainer.devices == 1 and trainer.num_nodes == 1:
        return True
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


def in_multirun() -> bool:
    """Return whether this is one of the runs of hydra's `-m`."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def run_folder(output: Path) -> Path:
    """Return the folder that a run writes: `output`, or, of hydra's `-m`, a folder below it named by what is varied.

    `-m data.split.fold=1/2,2/2 seed=0,1 output=cv` writes `cv/fold-1-2_seed-0` and so on: the same names in every call.
    """
    if not in_multirun():
        return output
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create()
    given = parser.parse_overrides([each for each in sys.argv[1:] if "=" in each and not each.startswith("-")])
    varied = {each.key_or_group for each in given if each.is_sweep_override()} - {"output"}
    pairs = (each.partition("=")[::2] for each in HydraConfig.get().overrides.task)
    name = "_".join(f"{key.rpartition('.')[2]}-{_plain(value)}" for key, value in pairs if key.lstrip("+") in varied)
    return output / (name or f"run-{HydraConfig.get().job.num}")


def _plain(value: str) -> str:
    """Make a piece of a folder's name of a setting; where something is left out, with a number that it alone has."""
    text = re.sub(r"[^\w.+]+", "-", value).strip("-")
    whole = text == value.strip("[]'\"").replace("/", "-") and len(text) <= NAME_LENGTH
    return text if whole else f"{text[:NAME_LENGTH]}-{zlib.crc32(value.encode()):08x}"


def output_folder(path: Path, *, results: Sequence[Path], allowed: bool, way_out: str) -> Path:
    """Make the output folder and check that it can be written and holds no earlier result.

    Args:
        path: the folder.
        results: files or folders in it by which an earlier result is known.
        allowed: whether there may be one.
        way_out: what to do otherwise.

    Raises:
        FileExistsError: an earlier result is there and not allowed.
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"output={path} is a file; name a folder")
    path.mkdir(parents=True, exist_ok=True)
    probe = path / part_name()
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(f"output={path} cannot be written ({error}); choose another folder") from error
    found = [result.name for result in results if result.exists()]
    if found and not allowed:
        raise FileExistsError(f"output={path} holds {found[0]} already; {way_out}")
    return path


@contextmanager
def unused_removed(output: object) -> Iterator[None]:
    """Remove the folders that are made for an output in the block where an error leaves nothing in them.

    The lock of a run is nothing; so wrong settings that are told after it was taken leave no folder either. One that
    another run holds is left, with its folder.

    Args:
        output: the setting of that name; anything but a path is left alone.
    """
    missing = [each for each in (output, *output.parents) if not each.exists()] if isinstance(output, Path) else []
    try:
        yield
    except BaseException:
        with suppress(OSError):  # which a lock that is held is, too
            for folder in missing:
                paths = PredictionPaths(folder)
                if paths.state.is_dir() and [*folder.iterdir(), *paths.state.iterdir()] == [paths.state, paths.lock]:
                    with FileLock(paths.lock, timeout=0):
                        pass
                    paths.lock.unlink(missing_ok=True)
                    paths.state.rmdir()
                folder.rmdir()
        raise


def existing(path: Path, key: str, what: str) -> Path:
    """Return a path that a setting names, which must be there.

    Raises:
        FileNotFoundError: nothing is there.
        NotADirectoryError: a file is, and a folder is wanted.
    """
    if not path.exists():
        raise FileNotFoundError(f"{key}={path}: no such {what}{meant(path)}")
    if what == "folder" and not path.is_dir():
        raise NotADirectoryError(f"{key}={path}: that is a file; name the folder that it is in")
    return path
