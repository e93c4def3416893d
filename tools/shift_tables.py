"""A table of what carries over to scenes that training has not seen: each scene of a set is left out in turn.

    python tools/shift_tables.py --data DIR --into runs/shift [--sets sealions,livestock] [--options folds] [--seeds 0]

`--data` holds the sets in folders of their names (`SETS`). For every set, option and seed each scene is left out once:
a model is trained on the others, counts the one left out down to the lowest score of a candidate, and is compared with
its labels. Printed are, over all scenes left out:

- F1, precision, recall and the error of the count at the threshold that each training chose itself;
- the best F1 at any threshold, the same for all scenes (what a choice with the labels at hand would have reached);
- the error of the sum of scores, where scores are probabilities;
- F1 and the error of the count by scene.

An option is settings of `detect.train`, or, of the models of another option, of `detect.predict`. Runs that are done
are not repeated, so that a stopped command goes on where it was. Nothing is chosen on the scene that is reported.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir

from detect.assembly.command import conf_folder
from detect.assembly.gate import checked
from detect.assembly.given_labels import read_labels
from detect.assembly.settings.train_settings import TrainSettings
from detect.evaluation.matching import Criterion
from detect.labels.annotations import Annotations
from detect.labels.detections import Detections
from detect.labels.formats.detections_csv import read_detections
from detect.labels.regions import outside
from detect.nets.facts.probabilities import candidate_floor
from detect.nets.modelfile import load_model

THRESHOLDS = np.geomspace(0.001, 0.97, 120)
"""Where the best F1 is looked for, of what a model's floor of candidates leaves."""

OF_THE_SURVEY = "threshold=survey"
"""A setting of `detect.predict` by which the model's own threshold is not used."""


@dataclass(frozen=True)
class LabelledSet:
    """Images with labels in several scenes, by the folder that holds them.

    Attributes:
        images: the folder of the images, below that of the set.
        annotations: their labels, likewise.
        held: for every scene that is left out, its images.
        settings: of the trainings.
        before: settings by which the threshold is chosen as it was before there were folds.
    """

    images: str
    annotations: str
    held: Mapping[str, tuple[str, ...]]
    settings: tuple[str, ...]
    before: tuple[str, ...] = ("data.split.val_from=images",)


@dataclass(frozen=True)
class Option:
    """One thing that is done otherwise.

    Attributes:
        train: settings of `detect.train`.
        predict: settings of `detect.predict`.
        models: the option whose models are taken; none trains its own.
        before: whether the threshold is chosen as it was before there were folds.
    """

    train: tuple[str, ...] = ()
    predict: tuple[str, ...] = ()
    models: str | None = None
    before: bool = False


SETS: dict[str, LabelledSet] = {
    "sealions": LabelledSet(
        "images",
        "points.csv",
        {name: (f"{name}.jpg",) for name in ("5", "20", "42", "44")},
        ("experiment=sealions_grid",),
        (
            "data.split.val_from=parts",
            "data.labels.ignored_regions=[{20.jpg: [[0,2655,4992,3328],[1850,2200,2300,2655]]}]",
        ),
    ),
    "livestock": LabelledSet(
        "images",
        "boxes.csv",
        {
            "yak_river": ("yak_1130.jpg", "yak_1200.jpg", "yak_1500.jpg"),
            "sheep_late": ("sheep_1020.jpg", "sheep_1380.jpg"),
            "yak_hill": ("yak_4510.jpg", "yak_4820.jpg"),
        },
        ("experiment=livestock",),
    ),
    "deeppcb": LabelledSet(
        "images", "boxes.csv", {name: (name,) for name in ("group20085", "group44000")}, ("experiment=deeppcb",)
    ),
    "neon": LabelledSet(
        ".",
        ".",
        {
            "yell_528": ("2019_YELL_2_528000_4978000_image_crop2.png",),
            "yell_541": ("2019_YELL_2_541000_4977000_image_crop.png",),
        },
        ("experiment=neon",),
    ),
}
"""The sets, in the layout of `data/README.md`; of `neon` both photographs and their boxes lie in one folder."""

SHORT = ("trainer.max_epochs=6", "finetune.score_every=6")

OPTIONS: dict[str, Option] = {
    "folds": Option(),
    "folds d4": Option(predict=("tta=d4",), models="folds"),
    "folds scales": Option(predict=("tta=scales",), models="folds"),
    "folds rescale": Option(predict=("rescale=auto",), models="folds"),
    "folds light": Option(predict=("adapt=light",), models="folds"),
    "folds batchnorm": Option(predict=("adapt=batchnorm",), models="folds"),
    "folds survey": Option(predict=(OF_THE_SURVEY,), models="folds"),
    "folds scales survey": Option(predict=("tta=scales", OF_THE_SURVEY), models="folds"),
    "as before": Option(before=True),
    "short": Option(train=SHORT, before=True),
    "short heavy": Option(train=(*SHORT, "augment=heavy"), before=True),
    "short slow backbone": Option(train=(*SHORT, "finetune.backbone_lr=1.0e-4"), before=True),
    "short head first": Option(train=(*SHORT, "finetune.unfreeze_at=0.34"), before=True),
    "short ema": Option(train=(*SHORT, "trainer.ema=0.98"), before=True),
    "short scenes": Option(train=(*SHORT, "augment=scenes"), before=True),
    "short folds": Option(train=(*SHORT, "data.split.fold_epochs=1.0")),
}
"""What is compared; the first is what the others are measured against."""


@dataclass(frozen=True)
class LeftOut:
    """A model that has not seen a scene, and what it found there.

    Attributes:
        threshold: that the training chose.
        found: at the floor of candidates, by image; where the survey gives the threshold, at that.
        truth: the labels.
        criterion: when two are one.
    """

    threshold: float
    found: Mapping[str, Detections]
    truth: Mapping[str, Detections]
    criterion: Criterion

    def tally(self, threshold: float) -> tuple[int, int, int]:
        """Return the numbers of hits, of found and of true objects at a threshold."""
        hits = kept = 0
        for name, truth in self.truth.items():
            found = self.found[name]
            found = found[found.score >= threshold]
            hits += len(self.criterion.match(found, truth))
            kept += len(found)
        return hits, kept, sum(map(len, self.truth.values()))

    @property
    def expected(self) -> float:
        """The sum of all scores."""
        return sum(float(found.score.sum()) for found in self.found.values())


class Bench:
    """Trains, predicts and compares, in a folder in which finished runs stay.

    Args:
        data: the folder of the sets.
        into: where runs are kept.
    """

    def __init__(self, data: Path, into: Path) -> None:
        self.data = data
        self.into = into

    def left_out(self, name: str, option: str, held: str, seed: int) -> LeftOut:
        """Return what a model finds in the scene that it has not seen; trained and run where that is not done yet."""
        labelled, wanted = SETS[name], OPTIONS[option]
        owner = wanted.models or option
        model = self.into / name / plain(owner) / f"{held}-{seed}"
        root = self.data / name / labelled.images
        settings = [
            *labelled.settings,
            f"data.root={root}",
            f"data.annotations={self.labels(name)}",
            f"data.split.test=[{','.join(labelled.held[held])}]",
            f"seed={seed}",
            *(labelled.before if OPTIONS[owner].before else ()),
            *OPTIONS[owner].train,
        ]
        if not (model / "model.safetensors").exists():
            call("train", [*settings, f"output={model}", "overwrite=true"], model.with_suffix(".log"))
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            composed = checked(compose("train", [*settings, f"output={model}"]), TrainSettings)
        labels = read_labels(composed.data)
        assert isinstance(labels, Annotations)
        images = [image for image in labels.images if {image.name, image.group} & set(labelled.held[held])]
        _, card = load_model(model / "model.safetensors")
        surveyed = OF_THE_SURVEY in wanted.predict
        predictions = model / plain(f"predicted {option}")
        if not (predictions / "run.json").exists():
            paths = predictions.with_suffix(".txt")
            paths.write_text("".join(f"{image.path.resolve()}\n" for image in images))
            asked = [f"model={model / 'model.safetensors'}", f"images={paths}", f"output={predictions}"]
            asked += ["write=[tables]", *wanted.predict]
            asked += [] if surveyed else [f"threshold={candidate_floor(card.calibration)}"]
            call("predict", asked, predictions.with_suffix(".log"))
        by_path = read_detections(predictions / "detections.csv", labels.classes)
        found = {image.name: named(by_path, image.path, labels.classes) for image in images}
        matching = card.training["matching"]
        return LeftOut(
            0.0 if surveyed else card.threshold,
            {image.name: outside(found[image.name], image.ignored) for image in images},
            {image.name: outside(image.objects, image.ignored) for image in images},
            Criterion(matching["radius_file_px"], composed.data.matching.iou),
        )

    def labels(self, name: str) -> Path:
        """Return the annotations of a set; a table is copied without `split`, which would name validation images."""
        given = self.data / name / SETS[name].annotations
        if given.suffix != ".csv":
            return given
        table = pd.read_csv(given, dtype=str)
        kept = self.into / name / given.name
        kept.parent.mkdir(parents=True, exist_ok=True)
        table.drop(columns="split", errors="ignore").to_csv(kept, index=False)
        return kept


def plain(name: str) -> str:
    """Return a name of an option as one of a folder."""
    return "".join(c if c.isalnum() else "_" for c in name)


def named(by_path: Mapping[str, Detections], path: Path, classes: Sequence[str]) -> Detections:
    """Return what was found in an image, whatever part of its path the table names it by."""
    for name, found in by_path.items():
        if path.resolve().as_posix().endswith(name):
            return found
    return Detections.empty(classes)


def call(command: str, arguments: Sequence[str], log: Path) -> None:
    """Run a command of `detect`, with its log in a file; end where it fails."""
    print(f"detect.{command} {' '.join(arguments)}", file=sys.stderr, flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        done = subprocess.run(
            [sys.executable, "-m", f"detect.{command}", *arguments], check=False, stderr=file, stdout=file
        )
    if done.returncode:
        raise SystemExit(f"detect.{command} failed; {log} says why")


def rates(hits: int, kept: int, true: int) -> str:
    """Return F1, precision, recall and the count's error in percent as cells of a table."""
    precision, recall = hits / max(kept, 1), hits / max(true, 1)
    return (
        f"{2 * hits / max(kept + true, 1):.3f} | {precision:.2f} | {recall:.2f} | {100 * (kept - true) / true:+.0f} %"
    )


def row(option: str, runs: Sequence[LeftOut], held: Sequence[str]) -> str:
    """Return the row of an option over all scenes that were left out."""
    own = [run.tally(run.threshold) for run in runs]
    sums = [sum(values) for values in zip(*own, strict=True)]
    curve = [[sum(values) for values in zip(*(run.tally(t) for run in runs), strict=True)] for t in THRESHOLDS]
    best = max(range(len(curve)), key=lambda i: 2 * curve[i][0] / (curve[i][1] + curve[i][2]))
    f1 = 2 * curve[best][0] / (curve[best][1] + curve[best][2])
    expected = 100 * (sum(run.expected for run in runs) / sums[2] - 1)
    errors = np.mean([abs(100 * (kept - true) / true) for _, kept, true in own])
    scenes = ", ".join(
        f"{2 * hits / max(kept + true, 1):.2f} ({100 * (kept - true) / true:+.0f} %)" for hits, kept, true in own
    )
    at_best = f"{f1:.3f} ({THRESHOLDS[best]:.2f})"
    return f"| {option} | {rates(*sums)} | {errors:.0f} % | {at_best} | {expected:+.0f} % | {scenes} |"


def main() -> None:
    """Train what is missing, and print a table for each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--options", default=",".join(OPTIONS))
    parser.add_argument("--held", default=None, help="scenes, where not all are left out in turn")
    parser.add_argument("--seeds", default="0")
    known = parser.parse_args()
    bench = Bench(known.data.resolve(), known.into.resolve())
    for name in known.sets.split(","):
        held = known.held.split(",") if known.held else list(SETS[name].held)
        print(f"\n{name}: left out in turn {', '.join(held)}; seeds {known.seeds}\n")
        print("| option | F1 | precision | recall | count | mean error | best F1 (at) | sum of scores | by scene |")
        print("|---|---|---|---|---|---|---|---|---|")
        for option in known.options.split(","):
            runs = [bench.left_out(name, option, each, int(seed)) for seed in known.seeds.split(",") for each in held]
            print(row(option, runs, held), flush=True)


if __name__ == "__main__":
    main()
