"""Pictures with objects, a session on them, and the server in this process."""

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from detect.imagery.windows import Window
from detect.reviewing.doorkeeper import Doorkeeper
from detect.reviewing.opened import OpenImages
from detect.reviewing.server import ReviewServer
from tests.reviewing.stand_in import StandIn, StandInImage, StandInObject, StandInTask

HOSTILE = "<img src=x onerror=alert(1)>'\"&.png"
CLASSES = ("cow", "</script><b>sheep")


@pytest.fixture
def session(tmp_path):
    """Two pictures of 800 x 600: in the first an object at every 100 pixels along a line, with scores 0.05 to 0.75."""
    images, found = [], {}
    for number, name in enumerate(("a/one.png", HOSTILE)):
        path = tmp_path / f"{number}.png"
        rng = np.random.default_rng(number)
        Image.fromarray(rng.integers(60, 120, (600, 800, 3), np.uint8).astype(np.uint8)).save(path)
        images.append(StandInImage(name, path, (600, 800), 3 - number))
    scores = [0.05, 0.15, 0.25, 0.35, 0.55, 0.65, 0.75]
    found["a/one.png"] = [
        StandInObject(
            *(f"d:{100 * (i + 1)}:150:{CLASSES[i % 2]}", 100.0 * (i + 1), 150.0, None, None),
            *(CLASSES[i % 2], score, "found" if score >= 0.5 else "candidate"),
        )
        for i, score in enumerate(scores)
    ]
    windows = [
        StandInTask("a/one.png", Window(0, 400, 300, 400)),
        StandInTask(HOSTILE, Window(300, 0, 300, 400)),
        StandInTask("a/one.png", Window(0, 0, 300, 400)),
    ]
    return StandIn(images, found, CLASSES, windows)


@pytest.fixture
def server(session):
    opened = OpenImages([(image.path, None) for image in session.images], 1 << 28)
    yield ReviewServer(session, opened, "counts of <b>May</b>", lambda value: f"Counted anew at {value}.")
    opened.close()


@pytest.fixture
def client(server):
    with TestClient(Doorkeeper(server.app(), "secret"), base_url="http://127.0.0.1:8123") as made:
        yield made
