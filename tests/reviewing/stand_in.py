"""A session that keeps all in memory and writes nothing: what the server and the page need of one."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from detect.imagery.windows import Window


@dataclass(frozen=True)
class StandInObject:
    id: str
    x: float
    y: float
    w: float | None
    h: float | None
    label: str
    score: float
    status: str


@dataclass(frozen=True)
class StandInImage:
    name: str
    path: Path
    shape: tuple[int, int]
    count: int
    reviewed: int = 0


@dataclass(frozen=True)
class StandInTask:
    image: str
    window: Window
    reviewed: bool = False


@dataclass
class StandIn:
    """Accepts every act of the contract; refuses those on objects that are not there."""

    images: list[StandInImage]
    found: dict[str, list[StandInObject]]
    classes: tuple[str, ...]
    windows: list[StandInTask] = field(default_factory=list)
    threshold: float = 0.5
    acts: list[dict[str, Any]] = field(default_factory=list)

    def objects(self, image: str) -> list[StandInObject]:
        return self.found.get(image, [])

    def estimate(self) -> dict[str, Any] | None:
        if not self.windows:
            return None
        done = sum(task.reviewed for task in self.windows)
        count = sum(each.count for each in self.images)
        known = {"estimate": 2.0 * count, "low": 1.5 * count, "high": 2.6 * count} if done > 1 else {}
        return {
            **{"estimate": None, "low": None, "high": None, "count": count, "windows_reviewed": done},
            **{"share_reviewed": 0.01 * done, "recall": 0.5, "precision": 0.9, "windows_for_10_percent": 40},
            **{
                "per_class": {},
                "method": "stand-in",
                "warning": "too few windows for an interval" if done < 2 else None,
            },
            **known,
        }

    @property
    def corrections(self) -> "StandIn":
        return self

    def of(self, image: str) -> list[StandInTask]:
        return [task for task in self.windows if task.image == image and task.reviewed]

    def act(self, act: dict[str, Any]) -> StandInObject | None:
        if act.get("act") not in ("add", "accept", "reject", "relabel", "move", "done", "reopen", "undo"):
            raise ValueError(f"there is no act {act.get('act')!r}")
        self.acts.append(act)
        image = act["image"]
        if act["act"] in ("done", "reopen"):
            window = Window(*act["window"])
            self.windows = [
                replace(task, reviewed=act["act"] == "done") if (task.image, task.window) == (image, window) else task
                for task in self.windows
            ]
            return None
        if act["act"] == "undo":
            return None
        if act["act"] == "add":
            made = StandInObject(
                f"a:{len(self.acts)}", act["x"], act["y"], act["w"], act["h"], act["label"], 1.0, "added"
            )
            self.found.setdefault(image, []).append(made)
            return made
        objects = self.found[image]
        place = next((i for i, each in enumerate(objects) if each.id == act["id"]), None)
        if place is None:
            raise ValueError(f"there is no object {act['id']!r}")
        status = {"accept": "accepted", "reject": "rejected", "relabel": "relabelled", "move": "moved"}[act["act"]]
        changes = {name: act[name] for name in ("x", "y", "w", "h", "label") if name in act}
        objects[place] = replace(objects[place], status=status, **changes)
        return objects[place]
