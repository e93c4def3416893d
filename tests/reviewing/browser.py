"""A real browser without a window, driven by its own protocol (Chrome DevTools) through two pipes."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

KEYS = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Delete": 46}


class Browser:
    """One page of a browser."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read, self._numbers, self._rest = write, read, itertools.count(1), b""
        self.errors: list[str] = []
        self.addresses: list[str] = []
        page = self.ask("Target.createTarget", url="about:blank", session=False)["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=page, flatten=True, session=False)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, session: bool = True, **facts: Any) -> dict[str, Any]:
        """Return the answer to a command; events that come before it are looked at."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": facts}
        if session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._read, 1 << 20)
            assert part, "the browser ended"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(line)
        method, facts = answer.get("method"), answer.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(facts["exceptionDetails"])[:2000])
        elif method == "Log.entryAdded" and facts["entry"]["level"] == "error":
            self.errors.append(facts["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.addresses.append(facts["request"]["url"])
        return answer

    def open(self, address: str) -> None:
        self.ask("Page.navigate", url=address)

    def value(self, script: str) -> Any:
        """Return what a script gives, awaited."""
        result = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, script: str, seconds: float = 120) -> Any:
        """Return what a script gives once it is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.value(script)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"never true: {script}; {self.errors}")

    def key(self, key: str, shift: bool = False, alt: bool = False) -> None:
        """Press and release a key."""
        code = KEYS.get(key, ord(key.upper()) if len(key) == 1 else 0)
        facts = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 * shift + alt}
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", **facts, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **facts)

    def click(self, x: float, y: float) -> None:
        self.drag((x, y), (x, y))

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at one place of the window and release it at another."""

        def mouse(kind: str, at: tuple[float, float]) -> None:
            held = {"button": "left", "buttons": 1, "clickCount": 1} if kind != "mouseMoved" or start != end else {}
            self.ask("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], **held)

        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=start[0], y=start[1])
        mouse("mousePressed", start)
        if start != end:
            for share in (0.3, 0.6, 1.0):
                mouse("mouseMoved", tuple(a + share * (b - a) for a, b in zip(start, end, strict=True)))  # type: ignore[arg-type]
        mouse("mouseReleased", end)

    def tap(self, x: float, y: float) -> None:
        """Touch a place."""
        self.ask("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def picture(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(folder: Path, width: int = 1280, height: int = 800) -> Iterator[Browser]:
    """Open a browser with a profile in a folder; it ends with the block."""
    assert CHROMIUM is not None
    to_read, write = os.pipe()
    read, to_write = os.pipe()

    def pipes() -> None:
        os.dup2(to_read, 3)
        os.dup2(to_write, 4)

    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--disable-extensions", "--remote-debugging-pipe"),
        *(f"--user-data-dir={folder}", f"--window-size={width},{height}"),
    ]
    process = subprocess.Popen(
        command,
        preexec_fn=pipes,  # noqa: PLW1509, it only names two pipes
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(to_write)
    try:
        yield Browser(write, read)
    finally:
        process.terminate()
        process.wait(60)
        os.close(write)
        os.close(read)
