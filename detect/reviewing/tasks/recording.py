"""Windows that came back from a labelling team, kept as acts of a review."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from detect.evaluation.matching import Criterion
from detect.imagery.windows import Window
from detect.reviewing.review_objects import ReviewObject
from detect.reviewing.session import ReviewSession
from detect.reviewing.tasks.changes import Planned, place_of, plan
from detect.reviewing.tasks.returned import ReturnedObject
from detect.reviewing.tasks.task_table import Task

DONE: Mapping[str, str] = {"move": "moved", "relabel": "relabelled", "accept": "accepted"}
"""What an act does to an object, in words."""


class Recorder:
    """Keeps the windows that came back, each by the acts that a person would do on the page.

    Args:
        session: of the run.
        same: when an object that was moved is still the same.
        overrule: whether what a person said of a window before is overruled.

    Attributes:
        counted: windows by what became of them (`recorded`, `empty`, `unchanged`), and objects by what was done with
            them (`left`, `added`, `moved`, `relabelled`, `accepted`, `taken out`, `outside`).
        contested: pictures of windows that stay, as a person has said otherwise of them.
    """

    def __init__(self, session: ReviewSession, same: Criterion, overrule: bool) -> None:
        self.session = session
        self.same = same
        self.overrule = overrule
        self.counted: Counter[str] = Counter()
        self.contested: list[str] = []
        self._shapes = {image.name: image.shape for image in session.images}
        self._finished = {(each.image, each.window) for each in session.corrections.windows}

    def record(self, task: Task, returned: Sequence[ReturnedObject]) -> None:
        """Keep what a team says is in the window of a task; objects whose centre is outside of it are left out.

        Raises:
            ValueError: an object has a class that there is not, or the review changed meanwhile.
            OSError: it cannot be kept.
        """
        shape = self._shapes[task.image]
        known = [each for each in self.session.objects(task.image) if each.inside(task.bounds, shape)]
        planned = plan(task, shape, known, returned, self.same)
        finished = (task.image, task.window) in self._finished
        if finished and not planned.changes:
            self.counted["unchanged"] += 1
            return
        if (finished or planned.contested) and not self.overrule:
            self.contested.append(task.picture)
            return
        ids = self._act_all(task, planned)
        self._act("done", task, window=_listed(task.window), objects=[{"id": each} for each in ids])
        self._finished.add((task.image, task.window))
        self.counted.update({"recorded": 1, "empty": int(not ids), "outside": planned.outside})

    def _act_all(self, task: Task, planned: Planned) -> list[str]:
        """Do what is planned, and return the ids of what is in the window then."""
        for name in planned.rejected:
            self._act("reject", task, id=name)
        for act in planned.acts:
            self._act(task=task, **act)
            self.counted[DONE[act["kind"]]] += 1
        added = [self._add(task, each) for each in planned.added]
        self.counted.update({"left": len(planned.kept), "added": len(added), "taken out": len(planned.left_out)})
        return [*planned.kept, *(act["id"] for act in planned.acts), *added]

    def _add(self, task: Task, each: ReturnedObject) -> str:
        made = self._act("add", task, label=each.label, **place_of(task, each))
        assert made is not None
        return made.id

    def _act(self, kind: str, task: Task, **facts: Any) -> ReviewObject | None:
        return self.session.act({"act": kind, "image": task.image, **facts})


def _listed(window: Window) -> list[int]:
    return [window.row, window.col, window.height, window.width]
