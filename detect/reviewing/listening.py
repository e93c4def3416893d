"""Listening: the server on this machine alone, until the person stops it."""

import secrets
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from detect.reviewing.doorkeeper import Doorkeeper

OWN_ADDRESS = "127.0.0.1"
"""What the server listens on; nothing outside the machine can reach it."""

SECONDS_TO_END = 3
"""How long answers that are under way have when the server is stopped."""


def listen(port: int) -> socket.socket:
    """Open a port of this machine; 0 takes a free one.

    Raises:
        OSError: it is in use, or not allowed.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, asyncio sends at once
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((OWN_ADDRESS, port))
        opened.listen()  # a request that comes before the server has begun waits for it
    except OSError as error:
        opened.close()
        raise OSError(f"port={port} cannot be opened ({error.strerror}); give another, or 0 for a free one") from error
    return opened


def serve(app: ASGIApp, opened: socket.socket, told: Callable[[str], None]) -> None:
    """Answer requests until the process is told to stop (Ctrl-C).

    Args:
        app: what answers.
        opened: the port.
        told: called with the address, which holds a secret that is made anew at every start.
    """
    token = secrets.token_urlsafe(24)
    config = uvicorn.Config(
        Doorkeeper(app, token),
        http="h11",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SECONDS_TO_END,
    )
    told(f"http://{OWN_ADDRESS}:{opened.getsockname()[1]}/{token}/")
    uvicorn.Server(config).run(sockets=[opened])
