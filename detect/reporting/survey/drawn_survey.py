"""`DrawnSurvey`: the windows of a run that a survey draws, and what a person's corrections tell of its totals."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.evaluation.survey.design import SurveyDesign, draw_windows, size_measure
from detect.evaluation.survey.estimates import Estimate, estimate, trust_in_counts
from detect.evaluation.survey.fitted_parts import fitted_parts
from detect.evaluation.survey.partition import SurveyWindows, survey_windows
from detect.evaluation.survey.summary import ReviewedSurvey, by_group, estimate_facts, survey_estimates, survey_facts
from detect.imagery.ground.footprints import ground_outlines, shared_ground
from detect.imagery.windows import Window
from detect.labels.corrections import Corrections
from detect.labels.detections import Detections
from detect.reporting.survey.known_hits import KnownHits
from detect.reporting.survey.said import as_points, covered_windows, joined
from detect.reporting.survey.survey_ground import SurveyGround
from detect.reporting.survey.survey_plan import SurveyPlan
from detect.reporting.survey.surveyed_run import SurveyedRun


@dataclass(frozen=True, eq=False)
class DrawnSurvey:
    """A survey of a run.

    Attributes:
        run: that is surveyed.
        ground: the part of its images that is.
        plan: how windows are drawn.
        known: what was reviewed before the first draw; those windows are not drawn, and count as they are.
    """

    run: SurveyedRun
    ground: SurveyGround
    plan: SurveyPlan
    known: Corrections

    @cached_property
    def windows(self) -> SurveyWindows:
        """All windows of the run's images."""
        return survey_windows(self.run.shapes, self.plan.side)

    @cached_property
    def expected(self) -> NDArray[np.float64]:
        """(N,) number of objects that the detector expects in each window: the sum of the scores in it."""
        return self.windows.weights(self._surveyed(self.run.guide), self.plan.floor)

    @cached_property
    def known_windows(self) -> NDArray[np.bool_]:
        """(N,) which windows were reviewed before the first draw."""
        return covered_windows(self.windows, self.known)

    @cached_property
    def area(self) -> NDArray[np.float64]:
        """(N,) pixels of each window that the survey is of; one at least of a window in which something was found."""
        found = self.windows.sums(self._surveyed(self.run.found), self.run.classes).sum(axis=1)
        area = self.ground.pixels(self.windows)
        return np.where(((found > 0) | (self.expected > 0)) & (area < 1), 1.0, area)

    @cached_property
    def design(self) -> SurveyDesign:
        """The windows drawn.

        Raises:
            ValueError: every window is known already, or none has a part in the survey.
        """
        if not self.area.any():
            raise ValueError(
                "no window has a part in the survey: the images hold no data"
                if self.plan.within is None
                else f"within={self.plan.within}: none of its polygons meets an image of the run"
            )
        area = np.where(self.known_windows, 0.0, self.area)
        if not area.any():
            raise ValueError(
                "every window of these images was reviewed already, so there is nothing to draw: the objects are "
                "counted, in corrections.csv"
            )
        return draw_windows(size_measure(self.windows, self.expected, area), self.plan.windows, self.plan.seed)

    @cached_property
    def shared_ground(self) -> float:
        """Share of what images show that is ground which another one shows again; 0 where places are not known."""
        prints = {name: each.footprint for name, each in self.run.records.items() if each.footprint is not None}
        return shared_ground(list(ground_outlines(prints).values())) if len(prints) > 1 else 0.0

    @property
    def tasks(self) -> list[tuple[str, Window]]:
        """The windows to review, each once, in order of their draw."""
        places = self.design.distinct.tolist()
        return [(self.windows.images[int(self.windows.image[place])], self.windows.window(place)) for place in places]

    def _surveyed(self, found: Mapping[str, Detections]) -> dict[str, Detections]:
        """Return the objects that the survey is of: of its classes, in its polygons, as points."""
        kept = {name: self._of_classes(each) for name, each in found.items()}
        return self.ground.inside({name: as_points(each) for name, each in kept.items()})

    def _of_classes(self, found: Detections) -> Detections:
        if self.plan.classes is None:
            return found
        wanted = np.array([name in self.plan.classes for name in found.classes], bool)
        return found[wanted[found.label]]

    @cached_property
    def counted(self) -> dict[str, Detections]:
        """What the run counted of what the survey is of, by image."""
        return self._surveyed(self.run.found)

    @cached_property
    def hits(self) -> KnownHits:
        """How many of those are there, by window, as far as it was asked."""
        return KnownHits(self.windows, self.counted, self.run.criterion)

    def classes(self, corrections: Corrections) -> tuple[str, ...]:
        """Return the class names of the estimates: where all are surveyed, those that a person gave too."""
        if self.plan.classes is not None:
            return tuple(name for name in self.run.classes if name in self.plan.classes)
        return tuple(dict.fromkeys((*self.run.classes, *self.known.classes, *corrections.classes)))

    def reviewed(self, corrections: Corrections) -> "SurveyState":
        """Return the survey with what a person saw in its windows."""
        said = joined(self.known, corrections)
        reviewed = covered_windows(self.windows, said) & (self.area > 0)
        names = [name for name in said.images if name in self.run.records]
        true = self._surveyed({name: said.objects(name) for name in names})
        return SurveyState(self, self.classes(corrections), reviewed, true, self.counted)

    def facts(self, corrections: Corrections) -> dict[str, Any]:
        """Return what the corrections tell of the totals, as `survey.json` has it."""
        return self.reviewed(corrections).facts()


@dataclass(frozen=True, eq=False)
class SurveyState:
    """A survey and what a person saw in its windows.

    Attributes:
        survey: the survey.
        classes: the class names.
        reviewed: (N,) which windows were reviewed.
        true: the objects in all that was reviewed, by image.
        found: the detector's, by image.
    """

    survey: DrawnSurvey
    classes: tuple[str, ...]
    reviewed: NDArray[np.bool_]
    true: Mapping[str, Detections]
    found: Mapping[str, Detections]

    @cached_property
    def counted(self) -> ReviewedSurvey:
        """The numbers of each window."""
        windows = self.survey.windows
        true = np.where(self.reviewed[:, None], windows.sums(self.true, self.classes), 0)
        counts = windows.sums(self.found, self.classes)
        return ReviewedSurvey(windows, self.survey.design, self.classes, self.reviewed, true, counts, self._hits())

    def _hits(self) -> NDArray[np.int64]:
        """Count the found objects that are there, whatever class they were given, in each reviewed window by itself."""
        windows = self.survey.windows
        hits = np.zeros((len(windows), len(self.classes)), np.int64)
        for name, objects in self.true.items():
            true, wanted = objects.with_classes(self.classes), windows.find(name, objects.xy)
            for place in np.flatnonzero(self.reviewed & windows.of_image(name)).tolist():
                hits[place] = self.survey.hits.of(place, true[wanted == place])
        return hits

    def facts(self) -> dict[str, Any]:
        """Return what it tells of the totals, as plain values."""
        plan, design = self.survey.plan, self.survey.design
        images = by_group(self.counted.windows, _folders(self.counted.windows.images))
        facts = survey_facts(survey_estimates(self.counted, images if len(images) > 1 else None))
        distinct = design.distinct
        return {
            **facts,
            "windows_drawn": len(distinct),
            "windows_left": int((~self.reviewed[distinct]).sum()),
            "windows_known": int(self.survey.known_windows.sum()),
            "windows_in_all": int((self.survey.area > 0).sum()),
            "side": plan.side,
            "classes": list(self.classes),
            "within": plan.within,
            "shared_ground": round(self.survey.shared_ground, 4),
            "per_polygon": self._polygons(),
            "detections": self.survey.run.counts_digest,
        }

    def _polygons(self) -> dict[str, Any]:
        """Return the estimate of each polygon; they add up to the whole where polygons do not lie on each other."""
        ground, windows, design = self.survey.ground, self.survey.windows, self.survey.design
        if not ground.names:
            return {}
        counted = self.counted
        made: dict[str, Estimate] = {}
        counted_whole: list[str] = []
        trust = trust_in_counts(design, self.reviewed, counted.true.sum(axis=1), counted.counts.sum(axis=1))
        for number, name in enumerate(ground.names):
            true, counts = (
                windows.sums(ground.of_polygon(number, each), self.classes).sum(axis=1)
                for each in (self.true, self.found)
            )
            true = np.where(self.reviewed, true, 0)
            meets = ground.meets(number, windows)
            made[name] = estimate(design, self.reviewed, true, counts, trust, meets)
            if not (meets & counted.left).any():
                counted_whole.append(name)
        return {name: estimate_facts(each) for name, each in fitted_parts(made, counted_whole).items()}


def _folders(images: tuple[str, ...]) -> dict[str, str]:
    """Return the folder of each image, such as that of a flight; `.` of those that lie in none."""
    return {name: name.rpartition("/")[0] or "." for name in images}
