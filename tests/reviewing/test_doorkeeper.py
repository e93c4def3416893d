"""Only the page itself is answered: not another site's, not a name that leads here, not without the token."""

import pytest

from tests.reviewing.conftest import ONE, acts_of

OWN = {"origin": "http://127.0.0.1:8123"}


@pytest.mark.parametrize("path", ["/", "/api/session", "/wrong/", "/wrong/api/session", "//", "/secret2/", "/secre/"])
def test_without_the_token_nothing_is_answered(client, path):
    answer = client.get(path)
    assert answer.status_code == 403 and "token" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8124"},
        {"origin": "https://127.0.0.1:8123"},
        {"host": "evil.example:8123"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_requests_of_other_pages_and_other_names_are_refused(client, folder, headers):
    assert client.get("/secret/api/session", headers=headers).status_code == 403
    act = {"act": "add", "image": ONE, "x": 5, "y": 5, "label": "cow"}
    assert client.post("/secret/api/acts", json=act, headers=headers).status_code == 403
    assert acts_of(folder) == []
    assert client.post("/secret/api/acts", json=act).status_code == 200


@pytest.mark.parametrize("headers", [{}, OWN, {"host": "localhost:9000", "origin": "http://localhost:9000"}], ids=str)
def test_the_page_is_answered(client, headers):
    assert client.get("/secret/api/session", headers={**headers, "sec-fetch-site": "same-origin"}).status_code == 200


def test_a_tab_may_come_to_the_page_from_a_file_with_the_token_alone_and_to_nothing_else(client):
    """As a browser asks that a file leads to the page; a frame, a script and another path are refused as before."""
    tab = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert client.get("/secret/", headers=tab).status_code == 200
    assert client.get("/wrong/", headers=tab).status_code == 403
    assert client.get("/secret/api/session", headers=tab).status_code == 403
    assert client.post("/secret/", headers=tab).status_code == 403
    for other in ({"sec-fetch-dest": "iframe"}, {"sec-fetch-mode": "no-cors"}, {"host": "evil.example"}):
        assert client.get("/secret/", headers={**tab, **other}).status_code == 403


def test_every_answer_lets_the_page_load_nothing_from_elsewhere(client):
    for path in ("/secret/", "/secret/app.js", "/secret/api/session", "/secret/tiles/0/10/0_0.jpg", "/no"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "http" not in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_a_body_that_is_too_long_is_not_read(client, folder):
    for headers in ({"content-length": str(17 << 20)}, {"transfer-encoding": "chunked"}, {"content-length": "x"}):
        assert client.post("/secret/api/acts", content=b"{}", headers=headers).status_code == 413
    assert acts_of(folder) == []


def test_the_address_without_its_last_slash_leads_to_the_page(client):
    assert client.get("/secret", follow_redirects=False).headers["location"] == "/secret/"
