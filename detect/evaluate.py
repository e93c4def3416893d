"""Evaluate: `python -m detect.evaluate predictions=DIR annotations=FILE output=DIR`, or a model on a labelled split."""

from typing import TYPE_CHECKING

from detect.assembly.command import command

if TYPE_CHECKING:
    from detect.assembly.settings.evaluate_settings import EvaluateSettings


def run(settings: "EvaluateSettings") -> int:
    """Score detections against annotations and write `scores.json` and pictures; see `conf/evaluate.yaml`."""
    if settings.predictions is None:
        from detect.assembly.evaluation.evaluating_model import evaluate_model

        return evaluate_model(settings)
    from detect.labels.reading.image_classes import is_image_classes

    if settings.annotations is not None and is_image_classes(settings.annotations):
        from detect.assembly.whole.evaluating_classes import evaluate_classes

        return evaluate_classes(settings)
    from detect.assembly.evaluation.evaluating import evaluate_predictions

    return evaluate_predictions(settings)


main = command("evaluate")(run)

if __name__ == "__main__":
    main()
