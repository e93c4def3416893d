"""Hostile inputs: those who watch and judge notice what they are there for, and a seeded part of the inputs passes."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tools.fuzzing.canary import Canary, Listener, state_of
from tools.fuzzing.case import Material, Place
from tools.fuzzing.images import make_image_case
from tools.fuzzing.judge import table_faults
from tools.fuzzing.watched import Bounds, Watched, watch

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fuzzer watches with fork, /proc and inotify")

FORMATS = (1, 16, 31, 1021, 1081)
"""Annotations of other programs; the last two are data sets of YOLO whose description is small until it is a text."""

SEEDED = {
    "checkpoints: paths that lead out of the folder": (8, 18, 73, 88, 118, 298),
    "checkpoints: weights, pickles and settings": (13, 33, 38, 63, 98, 153, 173, 188, 283, 293),
    "images: programs, and what they reach": (75, 90, 140, 195, 200, 515),
    "images: sizes that are only claimed": (190, 490),
    "images: what is no file": (20, 80, 125, 390),
    "images: names, formulas and reruns": (155, 180, 495),
    "models": (12, 22, 72, 432, 562),
    "predictions": (4, 64, 99, 154, 289, 649, 1074),
    "tables": (6, 11, 26),
    "formats": FORMATS,
}
"""Numbers of inputs of seed 0 (`tools/fuzz_inputs.py --only`), by what they are."""

RUN = """
import sys

from fuzz_inputs import main
from tests.commands import call
from tests.kept import made_once

with made_once():
    for command in (("predict", "runtime=torch"), ("train", "net=patch", "runtime=torch")):
        assert call(*command).code == 2
    sys.exit(main())
"""
"""`tools/fuzz_inputs.py` in a process that has composed the settings that most inputs take."""

NUMBERS = sorted(number for numbers in SEEDED.values() for number in numbers)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict]:
    """What became of the seeded inputs, all run by one process."""
    path = tmp_path_factory.mktemp("fuzz") / "results.json"
    given = ["--only", *map(str, NUMBERS), "--json", str(path)]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tools")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", RUN, *given]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert path.is_file(), done.stderr
    return {result["number"]: result for result in json.loads(path.read_text())}


@pytest.mark.parametrize("what", SEEDED)
def test_hostile_inputs_are_taken_or_refused_and_nothing_else(what: str, results: dict[int, dict]) -> None:
    wrong = {f"{number}: {results[number]['what']}": results[number]["wrong"] for number in SEEDED[what]}
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with one that may be written, `out`, and a file beside it."""
    (tmp_path / "out").mkdir()
    (tmp_path / "beside.txt").write_text("mine")
    return tmp_path


def watched(place: Path, work: Callable[[], object], seconds: float = 20.0, memory_mib: int = 256) -> Watched:
    bounds = Bounds(seconds, memory_mib, (place / "out",), (place / "outside",), place / "scratch")
    return watch(lambda tell: work(), bounds)


WRONG: dict[str, tuple[str, Callable[[Path], object]]] = {
    "written": ("changed: open", lambda place: (place / "new").write_text("x")),
    "opened to append": ("changed: open", lambda place: os.open(place / "beside.txt", os.O_WRONLY | os.O_APPEND)),
    "removed": ("changed: os.remove", lambda place: (place / "beside.txt").unlink()),
    "moved in": ("changed: os.rename", lambda place: (place / "beside.txt").rename(place / "out/a")),
    "moved out": ("changed: os.rename", lambda place: (place / "out").rename(place / "b")),
    "tree removed": ("changed: shutil.rmtree", shutil.rmtree),
    "folder made": ("changed: os.mkdir", lambda place: (place / "new").mkdir()),
    "linked": ("changed: os.symlink", lambda place: (place / "new").symlink_to("out")),
    "by way of the output": ("changed: open", lambda place: (place / "out/../new").write_text("x")),
    "secret read": ("touched: open", lambda place: (place / "outside/secret.txt").read_text()),
    "connection": ("connection: socket.connect", lambda place: socket.socket().connect(("127.0.0.1", 9))),
    "name asked": ("connection: socket.getaddrinfo", lambda place: socket.getaddrinfo("localhost", 80)),
    "process": ("process: subprocess.Popen", lambda place: subprocess.run(["true"], check=False)),
    "shell": ("process: os.system", lambda place: os.system("true")),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_process_may_not_do_is_told_and_refused(name: str, place: Path) -> None:
    wanted, work = WRONG[name]
    with Canary(place / "outside", "token"):
        found = watched(place, lambda: work(place))
    assert any(each.startswith(wanted) for each in found.wrong), found.wrong
    assert (place / "beside.txt").read_text() == "mine" and not (place / "new").exists()


def test_a_link_in_the_output_is_followed_to_where_it_leads(place: Path) -> None:
    (place / "out/a").symlink_to(place / "beside.txt")
    found = watched(place, lambda: (place / "out/a").write_text("x"))
    assert "changed: open" in found.wrong[0] and (place / "beside.txt").read_text() == "mine"


def test_what_is_allowed_is_not_told(place: Path) -> None:
    def work() -> None:
        (place / "out/deep").mkdir()
        (place / "out/deep/a").write_text("x")
        (place / "out/deep/a").rename(place / "out/b")
        shutil.rmtree(place / "out/deep")
        (place / "beside.txt").read_text()
        os.open("/dev/null", os.O_WRONLY)

    found = watched(place, work)
    assert found.wrong == [] and (place / "out/b").exists()


def test_how_a_process_ends_is_told(place: Path) -> None:
    assert "KeyError" in watched(place, lambda: {}[1]).wrong[0]
    assert watched(place, lambda: os.kill(os.getpid(), signal.SIGBUS)).wrong == ["died: SIGBUS"]
    assert watched(place, lambda: os._exit(7)).wrong == ["died: exit code 7"]
    assert watched(place, lambda: time.sleep(60), seconds=0.2).wrong == ["time: waits for more than 0.2 s"]

    def fill() -> None:
        kept = [bytearray(b"x" * (8 << 20)) for _ in range(20)]
        time.sleep(60)
        del kept

    assert watched(place, fill, memory_mib=64).wrong == ["memory: more than 64 MiB"]


def test_a_canary_notices_libraries_that_are_not_pythons(place: Path) -> None:
    with Canary(place / "outside", "token") as canary:
        assert canary.touched() == []
        found = watched(place, lambda: ctypes.CDLL(None).open(os.fsencode(place / "outside/secret.tif"), 0))
        assert found.wrong == [] and canary.touched() == ["secret.tif was opened"]
        watched(place, lambda: ctypes.CDLL(None).unlink(os.fsencode(place / "outside/keep/a.txt")))
        assert {"keep/a.txt was removed", "keep/a.txt is gone"} <= set(canary.touched())


def test_an_address_knows_who_asked_it() -> None:
    listener = Listener()
    try:
        assert listener.answer() == []
        host, port = listener.address.split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /a HTTP/1.1\r\n\r\n")
            assert listener.answer() == ["GET /a HTTP/1.1"]
    finally:
        listener.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,x\na.png,-1.5\n", ()),
        ("image,error\r\na.png,no such file\r\n", ()),
        ("image,x\n=1+1.png,1\n", ("formula",)),
        ("image,x\n@a,1\n", ("formula",)),
        ("image,x\n-a,1\n", ("formula",)),
        ('image,x\n"=a,b",1\n', ("formula",)),
        ("image,x\na\rb.png,1\n", ("unequal",)),
        ("image,x\na,1,2\n", ("unequal",)),
    ],
)
def test_tables_that_spreadsheets_run_or_break_on(text: str, words: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode())
    found = table_faults(path)
    assert len(found) == len(words) and all(word in each for word, each in zip(words, found, strict=True))


def test_an_input_is_made_again_by_seed_and_number_alone(tmp_path: Path) -> None:
    nowhere = Path("nowhere")
    material = Material(nowhere, nowhere, (), nowhere, nowhere, 0)
    states = []
    for seed in (0, 0, 1):
        made = []
        for number in range(8):
            folder = tmp_path / "input"
            folder.mkdir()
            case = make_image_case(
                Place(folder, folder / "outside", "127.0.0.1:1", Random(f"{seed}/{number}")), material
            )
            made.append((case, state_of(folder)))
            shutil.rmtree(folder)
        states.append(made)
    assert states[0] == states[1] != states[2]
