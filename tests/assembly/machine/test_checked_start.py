"""A worker on another machine counts only where it sees what the run sees, and computes as the run would."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from detect.assembly.machine import checked_start as checked_start_module
from detect.assembly.machine import output_probe as probing
from detect.assembly.machine.checked_start import CheckedStart, checked_start
from detect.assembly.machine.output_probe import AddressProbe, FolderProbe, output_probe
from detect.imagery.remote.address import Address
from detect.imagery.remote.store import StoreError
from detect.inference.runtimes.torch_runtime import TorchRuntime
from tests.engines import engine, lively


@dataclass(frozen=True)
class Start:
    """What makes the station, of which nothing but the engine is looked at."""

    settings: Any
    engine: Any
    model: str = hashlib.sha256(b"weights").hexdigest()
    writer: Any = field(default_factory=lambda: SimpleNamespace(publisher=None))

    def __call__(self) -> Any:
        return SimpleNamespace(engine=self.engine)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CheckedStart]:
    """The run's own start, with paths relative to its working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out/.run").mkdir(parents=True)
    (tmp_path / "model").write_bytes(b"weights")
    (tmp_path / "a.png").touch()
    settings = SimpleNamespace(output=Path("out"), model=Path("model"), images=Path("images"))
    net, card = lively()
    made = engine(card, TorchRuntime(net, torch.device("cpu"), "32"), tile=300)
    station: Any = Start(settings, made)
    with output_probe(Path("out/.run"), station) as probe:
        yield checked_start(station, made, probe, [Path("gone"), Path("a.png")])
        os.chdir(tmp_path)
    assert not list(Path("out/.run").iterdir())
    os.chdir("/")


def test_a_worker_that_sees_all_counts(start: CheckedStart) -> None:
    os.chdir("/")
    assert start().engine is start.start.engine, "it went to the run's working folder"
    assert isinstance(start.probe, FolderProbe)
    assert [path.name for path in Path("out/.run").iterdir()] == [start.probe.path.name]


def test_one_that_does_not_see_the_output_folder_or_the_model_names_node_and_path(start: CheckedStart) -> None:
    def said(**other: Any) -> str:
        with pytest.raises(ValueError) as raised:
            replace(start, **other)()
        return str(raised.value)

    assert isinstance(start.probe, FolderProbe)
    elsewhere = said(probe=replace(start.probe, path=Path("elsewhere/probe")))
    assert f"node {os.uname().nodename} does not see the output folder" in elsewhere and "elsewhere/probe" in elsewhere
    assert "has another folder by the name output=out" in said(probe=replace(start.probe, token="other"))
    assert "has another model=model" in said(start=replace(start.start, model="other"))
    assert "install the same on all nodes" in said(version="0.0")
    assert "has no folder /gone" in said(here=Path("/gone")) and "to which images is relative" in said(
        here=Path("/gone")
    )
    assert "in bf16 bits" in said(computing=replace(start.computing, precision="bf16"))
    assert "does not see the images of the run, such as elsewhere.png (no such file)" in said(
        image=Path("elsewhere.png")
    )
    Path("model").unlink()
    assert "does not see the model: No such file or directory: model" in said()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="every folder can be written by this user")
def test_one_that_cannot_write_says_so(start: CheckedStart) -> None:
    Path("out/.run").chmod(0o500)
    with pytest.raises(ValueError, match="cannot write into the output folder: Permission denied"):
        start()
    Path("out/.run").chmod(0o700)


def test_one_that_does_not_reach_the_address_of_the_output_says_so(
    start: CheckedStart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker may not do, or sees of another store, by a store that answers so."""
    probe = AddressProbe(Address("s3:", "survey", "counts"), "token")
    held: dict[Any, bytes] = {probe.place: b"other"}

    def refused(content: bytes, address: Any) -> None:
        raise PermissionError(f"{address}: the store does not let it be written")

    monkeypatch.setattr(probing, "read_bytes", lambda address: held[address])
    monkeypatch.setattr(probing, "put", refused)
    with pytest.raises(ValueError, match=r"another store by the name output=s3://survey/counts .*AWS_ENDPOINT_URL"):
        replace(start, probe=probe)()
    held[probe.place] = b"token"
    with pytest.raises(ValueError, match=r"cannot read and write output=s3://survey/counts .*be written.*`ray start`"):
        replace(start, probe=probe)()

    def unreached(address: Any) -> bytes:
        raise StoreError(f"{address}: cannot be read (NoCredentialsError)")

    monkeypatch.setattr(probing, "read_bytes", unreached)
    with pytest.raises(ValueError, match=r"s3://survey/counts/\.run/probe: cannot be read \(NoCredentialsError\)"):
        replace(start, probe=probe)()


def test_one_that_does_not_reach_images_in_a_store_says_so(
    start: CheckedStart, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(address: Any) -> None:
        raise PermissionError(f"{address}: the store does not let it be read")

    monkeypatch.setattr(checked_start_module, "facts_of", refused)
    with pytest.raises(
        ValueError, match=r"such as s3://survey/a\.png \(.*not let it be read\); .*all nodes have the cred"
    ):
        replace(start, image=Address("s3:", "survey", "a.png"))()
