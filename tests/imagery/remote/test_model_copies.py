"""Copies of models at addresses: once a process, each address its own."""

from pathlib import Path

import pytest

from detect.imagery.remote import model_copies
from detect.imagery.remote.address import Address, Listed, address_of
from detect.imagery.remote.model_copies import file_of


def test_models_are_fetched_once_each_and_one_of_another_kind_of_store_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetched: list[str] = []

    def fetch(address: Address, target: Path) -> None:
        fetched.append(str(address))
        target.write_text(str(address))

    monkeypatch.setattr(model_copies, "facts_of", lambda address: Listed(1, 1))
    monkeypatch.setattr(model_copies, "fetch", fetch)
    for text in ("s3://bucket/m.safetensors", "gs://bucket/m.safetensors", "s3://bucket/m.safetensors"):
        address = address_of(text)
        assert address is not None and file_of(address).read_text() == text
    assert fetched == ["s3://bucket/m.safetensors", "gs://bucket/m.safetensors"]
    assert file_of(Path("m.safetensors")) == Path("m.safetensors")
