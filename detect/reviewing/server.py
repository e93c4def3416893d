"""The review server: the page, its tiles, and what a person does, as an application for a web server (Starlette)."""

import base64
import json
import threading
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from detect.reporting.pictures.colours import class_colours
from detect.reviewing.grad_cam import Explainer, GradCams, Score
from detect.reviewing.tiles.opened import OpenImages, TileAddress
from detect.reviewing.tiles.pyramid import TILE_PX

if TYPE_CHECKING:
    from detect.reviewing.session import ReviewObject, ReviewSession

STATIC = {
    "app.js": "text/javascript",
    "drawing.js": "text/javascript",
    "grad_cam.js": "text/javascript",
    "hands.js": "text/javascript",
    "keys.js": "text/javascript",
    "panels.js": "text/javascript",
    "review.js": "text/javascript",
    "server.js": "text/javascript",
    "openseadragon.min.js": "text/javascript",
    "style.css": "text/css",
}
"""Files of the page, by name, and their types."""

KEEP = {"cache-control": "private, max-age=86400"}
NEVER_KEEP = {"cache-control": "no-store"}

CountAnew = Callable[[float], "ReviewSession"]
"""Writes the counts of a folder anew by a threshold, and returns the session on what is then there."""


class ReviewServer:
    """Answers the page's requests: one session, one person; what is asked of the session at once waits for its turn.

    Args:
        session: what is reviewed.
        opened: its images, in their order.
        title: what the page is called.
        count_anew: by a threshold that the person chose; None where that cannot be done.
        shown: called when the page is asked for.
        explain: shows what of the photograph speaks for a detection; None where that cannot be done.
    """

    def __init__(
        self,
        session: "ReviewSession",
        opened: OpenImages,
        title: str,
        count_anew: CountAnew | None = None,
        shown: Callable[[], None] = lambda: None,
        explain: Explainer | None = None,
    ) -> None:
        self.session = session
        self.opened = opened
        self.title = title
        self.count_anew = count_anew
        self.shown = shown
        self.grad_cams = None if explain is None else GradCams(explain)
        self._turn = threading.Lock()
        self._names = [image.name for image in session.images]

    def app(self) -> Starlette:
        """Return the application, its addresses below the token."""
        made = Starlette(
            routes=[
                Route("/", self.page),
                Route("/{name:str}", self.static),
                Route("/api/session", self.whole),
                Route("/api/images/{image:int}", self.objects),
                Route("/api/images/{image:int}/ready", self.ready),
                Route("/api/images/{image:int}/grad_cam", self.grad_cam),
                Route("/api/acts", self.act, methods=["POST"]),
                Route("/api/threshold", self.threshold, methods=["POST"]),
                Route("/tiles/{image:int}/{level:int}/{col:int}_{row:int}.jpg", self.tile),
            ],
        )
        made.router.redirect_slashes = False
        return made

    def page(self, request: Request) -> Response:
        """Return the page, which holds no data but the title."""
        from jinja2 import Environment, PackageLoader, StrictUndefined

        self.shown()
        environment = Environment(
            loader=PackageLoader("detect.reviewing", "page"), autoescape=True, undefined=StrictUndefined
        )
        text = environment.get_template("index.html.j2").render(title=self.title)
        return Response(text.encode("utf-8", "replace"), media_type="text/html; charset=utf-8", headers=NEVER_KEEP)

    def static(self, request: Request) -> Response:
        """Return one of the page's files."""
        name = request.path_params["name"]
        if name not in STATIC:
            return _said("there is no such file", 404)
        content = (files("detect.reviewing.page") / name).read_bytes()
        return Response(content, media_type=f"{STATIC[name]}; charset=utf-8", headers={"cache-control": "no-cache"})

    def whole(self, request: Request) -> Response:
        """Return what is reviewed: classes, images, drawn windows, and the estimate."""
        with self._turn:
            session = self.session
            try:
                estimate = session.estimate()
            except (ValueError, OSError) as error:
                return _said(str(error), 409)
            numbers = {name: number for number, name in enumerate(self._names)}
            colours = class_colours(session.classes)
            images = [
                {
                    "name": image.name,
                    "height": image.shape[0],
                    "width": image.shape[1],
                    "count": image.count,
                    "reviewed": image.reviewed,
                }
                for image in session.images
            ]
            windows = [
                {"image": numbers[task.image], "window": _corners(task.window), "reviewed": task.reviewed}
                for task in session.windows
            ]
            data = {
                "title": self.title,
                "classes": [{"name": name, "colour": colours[name]} for name in session.classes],
                "threshold": session.threshold,
                "images": images,
                "windows": windows,
                "estimate": estimate,
                "newest": session.newest,
                "tile": TILE_PX,
                "saves_threshold": self.count_anew is not None,
                "explains": self.grad_cams is not None,
            }
        return _json(data)

    def objects(self, request: Request) -> Response:
        """Return an image's objects."""
        image = request.path_params["image"]
        if image >= len(self._names):
            return _said("there is no such image", 404)
        with self._turn:
            name = self._names[image]
            labels = self._labels()
            rows = [_row(each, labels) for each in self.session.objects(name)]
            reviewed = [_corners(each.window) for each in self.session.corrections.of(name)]
            last, changed = self.session.last_act(name), self._changed(name)
        return _json({"objects": rows, "reviewed": reviewed, "last": last, "changed": changed})

    def ready(self, request: Request) -> Response:
        """Return whether an image's tiles are its own yet, how much was read, and what keeps it from being shown."""
        image = request.path_params["image"]
        if image >= len(self.opened.files):
            return _said("there is no such image", 404)
        try:
            ready, share = self.opened.ready(image)
            return _json({"ready": ready, "share": share})
        except OSError as error:
            return _said(str(error), 422)

    def grad_cam(self, request: Request) -> Response:
        """Return Grad-CAM of the detection `id` of an image: the picture, its place in the image, and words."""
        image, query = request.path_params["image"], request.query_params
        if image >= len(self._names) or self.grad_cams is None:
            return _said("there is no such image, or detections are not explained here", 404)
        score: Score = "class" if query.get("score") == "class" else "object"
        try:
            with self._turn:
                name = self._names[image]
                self.session.changed(name)
                found = self.session.detected(name, query.get("id", ""))
            made = self.grad_cams.of(self.opened.files[image][0], found, score)
        except (ValueError, OSError, RuntimeError, MemoryError) as error:
            return _said(str(error) or "there is not enough memory", 422)
        picture = "data:image/png;base64," + base64.b64encode(made.png).decode("ascii")
        return _json({"picture": picture, "place": made.place, "words": made.words})

    async def act(self, request: Request) -> Response:
        """Keep what the person did, and return the object as it is now and the act's number, by which it is undone."""
        data = await _mapping(request)
        if data is None:
            return _said("an act is a JSON object", 400)
        return await run_in_threadpool(self._act, data)

    async def threshold(self, request: Request) -> Response:
        """Write the counts anew by a threshold."""
        data = await _mapping(request)
        value = None if data is None else data.get("threshold")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            return _said(f"a threshold must be a number in [0, 1], got {str(value)[:40]}", 400)
        return await run_in_threadpool(self._save, float(value))

    def tile(self, request: Request) -> Response:
        """Return a tile; one that stands in for another is not kept by the browser."""
        at = request.path_params
        if at["image"] >= len(self.opened.files):
            return _said("there is no such image", 404)
        try:
            tile = self.opened.tile(TileAddress(at["image"], at["level"], at["col"], at["row"]))
        except (ValueError, OSError) as error:
            return _said(str(error), 404)
        return Response(tile.jpeg, media_type="image/jpeg", headers=KEEP if tile.final else NEVER_KEEP)

    def _act(self, data: dict[str, Any]) -> Response:
        with self._turn:
            try:
                made = self.session.act(data)
                row = None if made is None else _row(made, self._labels())
            except ValueError as error:
                return _said(str(error), 400)
            except OSError as error:
                return _said(f"it could not be kept: {error}", 507)
            stale, number = self.session.stale, self.session.last_kept
        return _json({"object": row, "trouble": stale, "number": number})

    def _save(self, threshold: float) -> Response:
        if self.count_anew is None:
            return _said("the threshold of this run cannot be changed here", 404)
        with self._turn:
            try:
                self.session = self.count_anew(threshold)
            except (ValueError, OSError) as error:
                return _said(str(error), 400)
            total = sum(image.count for image in self.session.images)
        return _json({"said": f"Counted anew with the threshold {threshold:g}: {total:,} objects."})

    def _changed(self, name: str) -> str:
        """Return what has become of an image's file since it was counted; empty where it is as it was."""
        try:
            return self.session.changed(name)
        except ValueError as error:
            return str(error)

    def _labels(self) -> dict[str, int]:
        """Return the number of each class: those that a person may give can become more."""
        return {name: number for number, name in enumerate(self.session.classes)}


def _row(found: "ReviewObject", labels: Mapping[str, int]) -> list[Any]:
    """Return an object as the page has it: id, x, y, w, h, number of the class, score and status."""
    return [found.id, found.x, found.y, found.w, found.h, labels[found.label], found.score, found.status]


def _corners(window: Any) -> list[int]:
    return [window.row, window.col, window.height, window.width]


async def _mapping(request: Request) -> dict[str, Any] | None:
    """Return the JSON object that a request holds, None where it holds none."""
    try:
        data = json.loads(await request.body())
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _json(data: Any, status: int = 200) -> Response:
    """Return plain data as JSON in ASCII, in which names that are no UTF-8 have a form too."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("ascii"), status, media_type="application/json", headers=NEVER_KEEP)


def _said(text: str, status: int) -> Response:
    """Return an error as JSON."""
    return _json({"error": text}, status)
