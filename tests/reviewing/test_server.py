"""What the server answers: the session as plain data, tiles, and a sentence for what is wrong."""

from io import BytesIO

import pytest
from PIL import Image

from detect.reviewing.grad_cam import GradCam, GradCams
from detect.reviewing.server import STATIC
from tests.reviewing.conftest import CLASSES, HOSTILE, ONE, acts_of


def test_the_session_is_plain_data(client):
    data = client.get("/secret/api/session").json()
    assert [each["name"] for each in data["images"]] == [ONE, HOSTILE]
    assert [each["name"] for each in data["classes"]] == list(CLASSES)
    assert data["windows"][1] == {"image": 1, "window": [300, 0, 300, 400], "reviewed": False}
    assert data["threshold"] == 0.5 and data["estimate"]["count"] == 3


def test_why_nothing_can_be_estimated_is_said(client, session, monkeypatch):
    def other():
        raise FileExistsError("survey/ was drawn of other detections than there are now")

    monkeypatch.setattr(session, "estimate", other)
    answer = client.get("/secret/api/session")
    assert answer.status_code == 409 and "drawn of other detections" in answer.json()["error"]


def test_objects_are_rows(client):
    rows = client.get("/secret/api/images/0").json()["objects"]
    assert rows[1] == [f"d:200.000:150.000:{CLASSES[1]}", 200.0, 150.0, None, None, 1, 0.15, "candidate"]
    assert client.get("/secret/api/images/2").status_code == 404


def test_an_act_is_kept_and_answered_with_the_object(client, folder):
    act = {"act": "reject", "image": ONE, "id": f"d:500.000:150.000:{CLASSES[0]}"}
    answer = client.post("/secret/api/acts", json=act)
    assert answer.json()["object"] == [act["id"], 500.0, 150.0, None, None, 0, 0.55, "rejected"]
    (kept,) = acts_of(folder)
    assert kept["act"] == "reject" and kept["id"] == act["id"] and kept["before"]["status"] == "found"


def test_a_window_that_is_done_is_reviewed_and_its_objects_are_corrections(client, folder):
    """At 500 and 700 two cows were found, and at 600 a sheep."""
    client.post("/secret/api/acts", json={"act": "done", "image": ONE, "window": [0, 400, 300, 400]})
    assert [each["reviewed"] for each in client.get("/secret/api/session").json()["windows"]] == [True, False, False]
    assert client.get("/secret/api/images/0").json()["reviewed"] == [[0, 400, 300, 400]]
    assert len((folder / "corrections.csv").read_text().splitlines()) == 1 + 3


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b"[" * 100_000, b"\xff", b'{"act": "drop tables"}'])
def test_what_is_no_act_is_refused_with_a_sentence(client, folder, body):
    answer = client.post("/secret/api/acts", content=body)
    assert answer.status_code == 400 and answer.json()["error"]
    assert acts_of(folder) == []


def test_what_cannot_be_kept_is_said(client, session, monkeypatch):
    def full(act):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(session, "act", full)
    answer = client.post("/secret/api/acts", json={"act": "undo", "image": ONE})
    assert answer.status_code == 507 and "No space left" in answer.json()["error"]


def test_tiles_are_pictures_that_the_browser_may_keep(client):
    answer = client.get("/secret/tiles/0/10/0_0.jpg")
    assert answer.headers["content-type"] == "image/jpeg" and "max-age" in answer.headers["cache-control"]
    assert Image.open(BytesIO(answer.content)).size == (256, 256)


@pytest.mark.parametrize("path", ["9/10/0_0", "0/11/0_0", "0/10/9_0", "0/99999999999999999999/0_0"])
def test_a_tile_that_is_not_there_is_a_sentence(client, path):
    answer = client.get(f"/secret/tiles/{path}.jpg")
    assert answer.status_code == 404 and answer.json()["error"]


def test_an_image_of_which_all_tiles_are_its_own_is_ready(client):
    """800 x 600 pixels need no overview."""
    assert client.get("/secret/api/images/0/ready").json() == {"ready": True, "share": 1.0}


def test_an_image_that_is_gone_is_a_sentence(client, session):
    session.images[1].path.unlink()
    answer = client.get("/secret/api/images/1/ready")
    assert answer.status_code == 422 and "1.png" in answer.json()["error"]
    assert client.get("/secret/tiles/1/10/0_0.jpg").status_code == 404
    assert client.get("/secret/api/images/1").status_code == 200


def test_the_files_of_the_page_are_there_and_no_others(client):
    for name, kind in STATIC.items():
        answer = client.get(f"/secret/{name}")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind)
    for name in ("openseadragon.LICENSE.txt", "__init__.py", "..%2fserver.py", "%2e%2e/server.py", "style.css/"):
        assert client.get(f"/secret/{name}").status_code == 404


def test_the_title_is_shown_as_text(client):
    assert "counts of &lt;b&gt;May" in client.get("/secret/").text


def test_a_threshold_is_kept_where_that_can_be_done(client, server):
    assert client.post("/secret/api/threshold", json={"threshold": 0.4}).json() == {
        "said": "Counted anew with the threshold 0.4: 3 objects."
    }
    for wrong in (None, True, "0.4", 1.5, -1):
        assert client.post("/secret/api/threshold", json={"threshold": wrong}).status_code == 400
    server.count_anew = None
    assert client.get("/secret/api/session").json()["saves_threshold"] is False
    assert client.post("/secret/api/threshold", json={"threshold": 0.4}).status_code == 404


def test_corrections_that_cannot_be_written_are_told_with_the_act(client, session):
    """The act is kept: the page must not say that it is lost, or it is done twice."""
    name = session.images[0].name
    done = {"act": "done", "image": name, "window": [0, 0, 50, 50], "objects": []}
    assert client.post("/secret/api/acts", json=done).json() == {"object": None, "trouble": "", "number": 1}
    path = session.folder / "corrections.csv"
    path.write_text(path.read_text() + "\n")
    answer = client.post("/secret/api/acts", json={**done, "window": [50, 0, 50, 50]})
    assert answer.status_code == 200 and "what you did is kept, but corrections.csv" in answer.json()["trouble"]


COW = f"d:500.000:150.000:{CLASSES[0]}"


def explained(client, server, explain, **query):
    """The answer to the question why an object of the first image was found."""
    server.grad_cams = GradCams(explain)
    return client.get("/secret/api/images/0/grad_cam", params={"id": COW, **query})


def test_grad_cam_is_a_picture_with_its_place_and_words(client, server, session):
    asked = []

    def explain(image, found, score):
        asked.append((image, found.id, found.x, score))
        return GradCam(b"PNG", (480.5, 130, 40, 40), "of a cow")

    answer = explained(client, server, explain, score="class")
    picture = "data:image/png;base64,UE5H"
    assert answer.json() == {"picture": picture, "place": [480.5, 130, 40, 40], "words": "of a cow"}
    assert asked == [(session.images[0].path, COW, 500.0, "class")]
    client.post("/secret/api/acts", json={"act": "move", "image": ONE, "id": COW, "x": 10, "y": 10})
    assert client.get("/secret/api/images/0/grad_cam", params={"id": COW}).status_code == 200
    assert asked[-1] == (session.images[0].path, COW, 500.0, "object")  # where the network found it


@pytest.mark.parametrize("wrong", [ValueError("the model is gone"), OSError("no such file"), RuntimeError("no memory")])
def test_why_nothing_is_explained_is_a_sentence(client, server, wrong):
    def explain(image, found, score):
        raise wrong

    answer = explained(client, server, explain)
    assert answer.status_code == 422 and answer.json() == {"error": str(wrong)}


def test_what_the_network_did_not_find_is_not_explained(client, server):
    def explain(image, found, score):
        raise AssertionError

    act = {"act": "add", "image": ONE, "x": 20, "y": 20, "label": CLASSES[0]}
    added = client.post("/secret/api/acts", json=act).json()["object"][0]
    answer = explained(client, server, explain, id=added)
    assert answer.status_code == 422 and answer.json()["error"].startswith("a person added this object")
    assert "has no detection 'd:7'" in explained(client, server, explain, id="d:7").json()["error"]
    assert client.get("/secret/api/images/9/grad_cam").status_code == 404
    server.grad_cams = None
    assert client.get("/secret/api/images/0/grad_cam").status_code == 404
    assert client.get("/secret/api/session").json()["explains"] is False


def test_an_image_of_other_sides_is_not_explained(client, server, session):
    Image.new("RGB", (70, 60)).save(session.images[0].path)
    answer = explained(client, server, lambda *_: None)
    assert answer.status_code == 422 and "count it again" in answer.json()["error"]


def test_grad_cam_is_for_our_own_page_alone(client, server):
    server.grad_cams = GradCams(lambda *_: GradCam(b"", (0, 0, 1, 1), ""))
    other = {"origin": "http://evil.example"}
    assert client.get("/secret/api/images/0/grad_cam", params={"id": COW}, headers=other).status_code == 403
    assert client.get("/wrong/api/images/0/grad_cam", params={"id": COW}).status_code == 403
