"""Scores that mean something: the probabilities of objects found in labelled images, and how well they hold."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.special import logit

from detect.evaluation.matching import Criterion, Match
from detect.evaluation.scores import count_errors
from detect.labels.detections import Detections
from detect.nets.facts.probabilities import LEAST_SCORE, Calibration

logger = logging.getLogger(__name__)

FEWEST = 10
"""Fewest candidates that are objects, and fewest that are none, from which probabilities are learned."""

BINS = 10
"""Equal parts of [0, 1] in which probabilities are compared with what is there."""

Tables = Mapping[str, Detections]
"""Detections, or ground truth, by image."""


def fit_calibration(found: Tables, truth: Tables, criterion: Criterion, threshold: float) -> Calibration | None:
    """Return what makes probabilities of scores, learned from candidates in labelled images; None of too few.

    It is logistic regression on log odds, with the targets (n + 1) / (n + 2) and 1 / (m + 2) of n objects and m that
    are none, so that it is finite where scores part them (Platt 1999). Their sum is that of the probabilities.

    Args:
        found: candidates of each image down to a low score, whatever their class.
        truth: the annotated objects of the same images.
        criterion: when a candidate and an object are one.
        threshold: least score that counts; a line so steep that scores there have one probability is left out.

    Raises:
        ValueError: the images differ.
    """
    from sklearn.linear_model import LogisticRegression

    scores, there = _pooled(found, truth, criterion)
    objects, others = int(there.sum()), int((~there).sum())
    if min(objects, others) < FEWEST:
        logger.info(
            "scores are not made probabilities: of %d candidates in the validation images %d are objects, and %d of "
            "either kind are needed",
            *(len(scores), objects, FEWEST),
        )
        return None
    target = np.where(there, (objects + 1) / (objects + 2), 1 / (others + 2))
    log_odds = logit(scores.clip(LEAST_SCORE, 1 - LEAST_SCORE))[:, None]
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    kinds = np.repeat([True, False], len(scores))
    model.fit(np.concatenate([log_odds, log_odds]), kinds, np.concatenate([target, 1 - target]))
    slope, intercept = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        logger.warning("scores are not made probabilities: higher ones are objects less often in the validation images")
        return None
    made = Calibration(slope, intercept)
    if not made.keeps(scores, threshold):
        logger.warning(
            "scores are not made probabilities: objects and the rest are so far apart in the validation images that "
            "scores near the threshold %.3f would all be %.9g (slope %.3g)",
            *(threshold, float(made(threshold)), slope),
        )
        return None
    logger.info(
        "scores are made probabilities by %d candidates in the validation images, %d of them objects: 0.2, 0.5 and 0.8 "
        "of the network become %.2f, %.2f and %.2f",
        *(len(scores), objects, *made(np.array([0.2, 0.5, 0.8]))),
    )
    return made


def probable(found: Tables, calibration: Calibration) -> dict[str, Detections]:
    """Return objects with the probabilities of their scores."""
    return {name: replace(table, score=calibration(table.score)) for name, table in found.items()}


def reliability(found: Tables, truth: Tables, criterion: Criterion) -> dict[str, Any]:
    """Return how often candidates of a score are objects, as `reliability_of`."""
    return reliability_of(*_pooled(found, truth, criterion))


def reliability_of(scores: NDArray[np.float64], there: NDArray[np.bool_]) -> dict[str, Any]:
    """Return how often what has a score is there, in ten equal parts of [0, 1].

    Args:
        scores: (N,) in [0, 1].
        there: (N,) whether each is what it is scored as.

    Returns:
        `ece`, the expected calibration error: the mean of the difference of both within their part; `brier`, the mean
        square of a score's distance from 1 of what is there, and from 0 of what is not (Brier 1950); both None of
        nothing. `reliability`: of each part that has some, `score` (the mean), `there` (the share) and `found`.
    """
    part = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    rows = [
        {"score": float(scores[part == i].mean()), "there": float(there[part == i].mean()), "found": int(number)}
        for i, number in enumerate(np.bincount(part, minlength=BINS))
        if number
    ]
    ece = sum(row["found"] * abs(row["score"] - row["there"]) for row in rows) / len(scores) if len(scores) else None
    brier = float(((scores - there) ** 2).mean()) if len(scores) else None
    return {"ece": ece, "brier": brier, "reliability": rows}


def expected_counts(found: Tables, truth: Tables) -> dict[str, Any]:
    """Return counts by the sum of probabilities, and their errors, as `count_errors` of numbers of objects.

    Args:
        found: candidates of each image down to a low score, which is a probability.
        truth: the annotated objects.

    Returns:
        `expected` of all images, `expected_mae`, `expected_rmse` and `expected_bias_percent`; None where not defined.
    """
    expected = np.array([found[name].score.sum() for name in truth], np.float64)
    true = np.array([len(truth[name]) for name in truth])
    errors = {name.replace("count", "expected"): value for name, value in count_errors(expected, true).items()}
    return {"expected": float(expected.sum()), **errors}


def with_probabilities(
    scores: Mapping[str, Any],
    found: Tables,
    every: Tables | None,
    truth: Tables,
    criterion: Criterion,
    *,
    probable: bool,
) -> dict[str, Any]:
    """Return scores with how well they hold as probabilities, and with the counts by their sum, of each image too.

    `ece` and `brier` are of all candidates, most of which are ground of hardly a probability, and None where these are
    not known; `ece_found` is of the found. `reliability` is of all candidates, or of the found.

    Args:
        scores: of `score_points`.
        found: the objects found in each image.
        every: candidates of each image down to a low score, the found ones among them; None where they are not kept.
        truth: the annotated objects.
        criterion: when a candidate and an object are one.
        probable: whether scores are made probabilities: others have no sum that is a number of objects.
    """
    of_found = reliability(found, truth, criterion)
    unknown = {**of_found, "ece": None, "brier": None}
    held = unknown if every is None else reliability(every, truth, criterion)
    scores = {**scores, **held, "ece_found": of_found["ece"]}
    if every is None or not probable:
        return scores
    per_image = {
        name: {**numbers, "expected": float(every[name].score.sum())} for name, numbers in scores["per_image"].items()
    }
    return {**scores, **expected_counts(every, truth), "per_image": per_image}


def hits_by_score(found: Detections, pairs: Match) -> NDArray[np.bool_]:
    """Mark the candidates that are objects: those that a higher threshold pairs stay paired at a lower one.

    Of all one-to-one matchings it is one that pairs the highest scores. Above any threshold there are then as many
    marked ones as pairs in a best matching of what the threshold keeps (the sets that can be matched are a matroid).

    Args:
        found: the candidates of an image.
        pairs: all pairs that are allowed, in order (`Criterion.candidate_pairs`).
    """
    there = np.zeros(len(found), np.bool_)
    used, row = np.unique(pairs.found_index, return_inverse=True)
    if not len(used):
        return there
    rows, objects = np.arange(len(used)), int(pairs.truth_index.max()) + 1
    rank = np.empty(len(used))
    rank[np.argsort(found.score[used], kind="stable")] = rows + 1.0
    cost = coo_array(
        (
            np.concatenate([np.ones(len(row)), 1 + rank]),
            (np.concatenate([row, rows]), np.concatenate([pairs.truth_index, objects + rows])),
        ),
        shape=(len(used), objects + len(used)),
    ).tocsr()
    chosen, column = min_weight_full_bipartite_matching(cost)
    there[used[chosen[column < objects]]] = True
    return there


def _pooled(found: Tables, truth: Tables, criterion: Criterion) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the score of every candidate of all images, and whether it is an object."""
    if set(found) != set(truth):
        raise ValueError(f"found and true objects are of other images: {sorted(set(found) ^ set(truth))}")
    marks = [hits_by_score(found[name], criterion.candidate_pairs(found[name], truth[name])) for name in truth]
    scores = [found[name].score for name in truth]
    return np.concatenate([np.empty(0), *scores]), np.concatenate([np.empty(0, np.bool_), *marks])
