"""Output folders: what each command writes into its own."""

import re
from dataclasses import dataclass
from pathlib import Path

from detect.imagery.files import check_inside, remove_parts, remove_written
from detect.labels.json_files import read_json_object
from detect.reporting.output.layout import BY_CLASS, CLASSES, ERRORS, SCORES, PredictionPaths

EXPLAINED = re.compile(r"[\w-]+\.png|layers\.(csv|txt)|explain\.(html|json)")
"""Names of files that `detect.explain` writes."""


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


@dataclass(frozen=True)
class ExplainPaths:
    """What `detect.explain` writes into its output folder, beside the pictures."""

    folder: Path

    @property
    def page(self) -> Path:
        """The page, written last."""
        return self.folder / "explain.html"

    @property
    def facts(self) -> Path:
        """The numbers, and the names of the pictures."""
        return self.folder / "explain.json"

    @property
    def layers(self) -> Path:
        """The table of layers as CSV; as text it ends in `.txt`."""
        return self.folder / "layers.csv"

    def clear(self) -> None:
        """Remove what an earlier run wrote; anything else stays."""
        if not self.facts.is_file():
            return
        files = read_json_object(self.facts, self.folder).get("files")
        for name in files if isinstance(files, list) else []:
            if isinstance(name, str) and EXPLAINED.fullmatch(name):
                remove_written(self.folder / name, self.folder)
        self.folder.mkdir(exist_ok=True)
