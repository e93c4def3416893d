"""Who may ask: requests with the token, to this machine by its own name, from no other page; and what pages may load.

A page of any site can send requests to a server on the machine that it is shown on, and a name of the internet can be
made to lead here (DNS rebinding). So the address holds a secret, the Host must be this machine's own name, and a
request that says which page it comes from (Origin, Sec-Fetch-Site) must come from ours.
"""

import secrets
from urllib.parse import unquote

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN_NAMES = ("127.0.0.1", "localhost")
"""Names by which a browser on this machine, or at the end of a tunnel to it, asks."""

OWN_PAGES = ("same-origin", "none")
"""Values of Sec-Fetch-Site of requests of our own page, and of an address that was typed."""

MOST_BODY_BYTES = 16 << 20
"""Most bytes of a request: a window with 100,000 objects has some 8 MB."""

NO_STYLE = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
"""The digest of an empty style in the page, where OpenSeadragon finds its own and adds none."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' '{NO_STYLE}'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What the page may load: its own files, and nothing from elsewhere."""

ANSWERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Headers of every answer."""


class Doorkeeper:
    """An ASGI application that hands a request on to another one, or refuses it: 403, or 413 of one that is too large.

    The first part of the path must be the token; it is taken off.

    Args:
        app: what answers.
        token: the secret part of the address.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; see the ASGI specification."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        token, slash, rest = scope["path"].lstrip("/").partition("/")
        wrong = refusal(headers, entering=scope["method"] == "GET" and not rest)
        if wrong is None and not secrets.compare_digest(token.encode(), self.token.encode()):
            wrong = "the address lacks the token that detect.review printed, or has that of an earlier start"
        answering = _with_headers(send)
        if wrong is not None:
            await PlainTextResponse(f"refused: {wrong}\n", 403)(scope, receive, answering)
        elif not slash:
            await RedirectResponse(f"/{self.token}/")(scope, receive, answering)
        elif _length(headers) > MOST_BODY_BYTES:
            await PlainTextResponse(f"refused: more than {MOST_BODY_BYTES:,} bytes\n", 413)(scope, receive, answering)
        else:
            inner = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
            await self.app(inner, receive, answering)


def refusal(headers: Headers, entering: bool = False) -> str | None:
    """Return why a request with some headers is refused; None where it is not.

    Args:
        headers: of the request.
        entering: whether the page itself is asked for; a tab may then come to it from elsewhere, as from the file that
            `opening` makes: who knows the token may enter, and a frame may not.
    """
    host = headers.get("host", "")
    if host.rpartition(":")[0] not in OWN_NAMES and host not in OWN_NAMES:
        return f"the request is for the host {unquote(host)[:80]!r}, and this server is 127.0.0.1"
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        return f"the request comes from the page {origin[:80]!r}"
    if entering and (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")) == ("navigate", "document"):
        return None
    if headers.get("sec-fetch-site", "none") not in OWN_PAGES:
        return "the request comes from a page of another site"
    return None


def _length(headers: Headers) -> int:
    """Return the length of a body; a body of unknown length, which our page never sends, counts as too long."""
    if "transfer-encoding" in headers:
        return MOST_BODY_BYTES + 1
    length = headers.get("content-length", "0")
    return int(length) if length.isdecimal() and len(length) < 20 else MOST_BODY_BYTES + 1


def _with_headers(send: Send) -> Send:
    """Return a way to answer that adds the headers of every answer."""

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ANSWERS.items():
                headers[name] = value
        await send(message)

    return answer
