"""What a resumed training goes on with: the settings that it was begun with, but for those that may differ."""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from detect.assembly.folders import TrainingPaths
from detect.assembly.settings.train_settings import TrainSettings
from detect.learning.run_file import AFRESH, RunFileError, read_run_facts
from detect.learning.run_state import GREATEST, Number, checked_state
from detect.reporting.settings_files import PlainDumper
from detect.reporting.writing import write_text
from detect.samples.hard_negatives import Mining

logger = logging.getLogger(__name__)

IDLE = (
    "resume",
    "overwrite",
    "output",
    "runtime",
    "data.root",
    "data.annotations",
    "data.group_column",
    "data.labels.ignored_regions",
    "data.loading.workers",
    "data.loading.cache",
    "trainer.accelerator",
    "trainer.logger",
    "trainer.profiler",
    "trainer.test",
)
"""Settings, and groups of them, that change nothing of what is learned: a resumed run may have others.

Where the images and labels lie is among them, as those are compared themselves.
"""

LONGER = (
    "trainer.max_epochs",
    "trainer.min_epochs",
    "trainer.max_steps",
    "trainer.min_steps",
    "trainer.max_time",
    "trainer.patience",
)
"""Settings of how long a training lasts: a resumed run may have others, which hold from there on, and are recorded."""

EARLIER = "earlier"
"""Key of `config.yaml`: the settings of `LONGER` with which the first epochs were trained, where they were others."""

Difference = tuple[Any, Any]
"""The value of a setting then, and now."""


@dataclass(frozen=True)
class Before:
    """What a state says of the training so far: whole epochs, steps, settings, those of earlier epochs, the labels."""

    epochs: Number
    scheduled: Number
    settings: dict[str, Any]
    earlier: list[dict[str, Any]]
    labels: str


@dataclass(frozen=True)
class Resumed:
    """From where a training goes on.

    Attributes:
        epochs: whole epochs that are done.
        earlier: for `config.yaml`: until which epoch other settings of `LONGER` held, and their values.
        longer: whether it was told to last longer, or shorter, than before.
    """

    epochs: int
    earlier: list[dict[str, Any]]
    longer: bool


def resumed_run(settings: TrainSettings, paths: TrainingPaths, labels: str) -> Resumed | None:
    """Return from where a training goes on; None where it begins afresh.

    Args:
        settings: of the run.
        paths: its output folder.
        labels: the hash of what is labelled.

    Raises:
        ValueError: a damaged state, or settings, images or labels other than those that it was begun with.
    """
    if settings.resume and paths.last_checkpoint.exists():
        found = _resumed(settings, paths, labels)
        logger.info("resuming from %s, after epoch %d", paths.last_checkpoint, found.epochs)
        return found
    if settings.resume and paths.fold(1).exists():
        logger.info("going on with the folds that are done, in %s", paths.folds)
    elif settings.resume:
        logger.info("nothing to resume in %s: starting afresh", paths.folder)
    return None


def _resumed(settings: TrainSettings, paths: TrainingPaths, labels: str) -> Resumed:
    facts = read_run_facts(paths.last_checkpoint)
    try:
        before = checked_state(Before, {name: facts.get(name) for name in Before.__annotations__}, "state")
        changed = dict(differences(before.settings, settings.config))
    except (ValueError, RecursionError) as error:
        raise RunFileError(f"{paths.last_checkpoint} is damaged: {error}; {AFRESH}") from error
    epochs, steps, earlier = before.epochs, before.scheduled, before.earlier
    check_same(before.settings, before.labels, settings, labels)
    if settings.trainer.max_epochs < epochs:
        raise ValueError(f"trainer.max_epochs={settings.trainer.max_epochs}, and {epochs} epochs are done; {AFRESH}")
    if -1 < settings.trainer.max_steps < steps:
        raise ValueError(f"trainer.max_steps={settings.trainer.max_steps}, and {steps} steps are done; {AFRESH}")
    longer = {name: pair for name, pair in changed.items() if name in LONGER}
    others = {name: pair for name, pair in changed.items() if name not in LONGER and name not in ("resume", "output")}
    if others:
        logger.info("going on with other settings that change nothing of what is learned: %s", _text(others))
    if longer:
        logger.info("from epoch %d on: %s", epochs + 1, _text(longer))
        _log_schedule(settings, longer, epochs, steps)
        earlier = [*earlier, {"epochs": epochs, **{name: then for name, (then, _) in longer.items()}}]
    return Resumed(epochs, earlier, bool(longer))


def check_same(before: Mapping[str, Any], before_labels: str, settings: TrainSettings, labels: str) -> None:
    """Check that settings and labels are those that a training was begun with, but for settings that may differ.

    Args:
        before: the settings then.
        before_labels: the hash of what was labelled.
        settings: of the run.
        labels: the hash of what is labelled.

    Raises:
        ValueError: others.
    """
    refused = {name: pair for name, pair in differences(before, settings.config) if not _may_differ(name)}
    if refused:
        raise ValueError(
            f"resume=true goes on with the settings that the training was begun with: {_text(refused)}; set them as "
            f"they were, or {AFRESH}"
        )
    if before_labels != labels:
        roots = " and ".join(map(str, settings.data.root))
        raise ValueError(
            f"the images of data.root={roots}, their labels or the model of init= are not those that the training was "
            f"begun with (by names, sizes of files and labels); give it those, or {AFRESH}"
        )


def longer_settings(before: Mapping[str, Any], settings: TrainSettings) -> dict[str, Difference]:
    """Return the settings of how long a training lasts that are others than before."""
    return {name: pair for name, pair in differences(before, settings.config) if name in LONGER}


def differences(before: Mapping[str, Any], now: Mapping[str, Any], group: str = "") -> Iterator[tuple[str, Difference]]:
    """Yield the full names of the settings that differ, with both values; None for one that is not there.

    A number is the text of it: a setting that is a text (`trainer.precision=32`) was a number in earlier versions.
    """
    for key in sorted({*before, *now}, key=str):
        then, there, name = before.get(key), now.get(key), f"{group}{key}"
        if isinstance(then, Mapping) and isinstance(there, Mapping):
            yield from differences(then, there, f"{name}.")
        elif then != there and str(then) != str(there):
            yield name, (then, there)


def _may_differ(name: str) -> bool:
    return name in LONGER or any(name == each or name.startswith(f"{each}.") for each in IDLE)


def _text(changed: Mapping[str, Difference]) -> str:
    return "; ".join(f"{name}: {then!r:.80} then, {now!r:.80} now" for name, (then, now) in changed.items())


def _log_schedule(settings: TrainSettings, changed: Mapping[str, Difference], epochs: int, steps: int) -> None:
    """Log what another number of epochs does to the learning rates, the layers that learn, and the mining."""
    then, now = changed.get("trainer.max_epochs", (None, None))
    if not (isinstance(then, int) and isinstance(now, int) and 0 < then < GREATEST and epochs and now > epochs):
        return
    schedule, step = settings.finetune, steps / epochs
    ended = schedule.factor(min(steps, round(step * then)) - 1, max(1, round(step * then)))
    begins = schedule.factor(steps, max(1, round(step * now)))
    mined = [str(epoch + 1) for epoch in sorted(Mining(settings.data.mining.at, 0.0).epochs(now)) if epoch >= epochs]
    start = math.ceil(schedule.unfreeze_at * now)
    logger.info(
        "the schedule is that of %d epochs, of which %d are done: those had the rates of a training of %d, and are not "
        "repeated; the rates go on at %.0f %% of the highest (they were at %.0f %%) and %sfall to zero%s%s",
        now,
        epochs,
        then,
        100 * begins,
        100 * ended,
        "rise before they " if steps < round(schedule.warmup * step * now) else "",
        f"; the backbone rests until epoch {start + 1}" if start > epochs else "",
        f"; false alarms are looked for after epoch {', '.join(mined)}" if mined else "",
    )


def keep_config(settings: TrainSettings, paths: TrainingPaths, resumed: Resumed | None) -> None:
    """Write `config.yaml`: the settings that the model is made with, and those of earlier epochs that had others."""
    earlier = {EARLIER: resumed.earlier} if resumed is not None and resumed.earlier else {}
    config = {**settings.config, "output": str(paths.folder), "resume": False, "overwrite": False, **earlier}
    write_text(yaml.dump(config, Dumper=PlainDumper, sort_keys=False, allow_unicode=True), paths.config)
