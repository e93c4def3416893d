"""Addresses: what the user writes, and nothing else; paths by their parts."""

import pickle
from pathlib import Path

import pytest

from detect.imagery.remote.address import Address, Listed, address_of, without_secrets


def test_an_address_is_a_path_by_its_parts_and_a_text_as_it_was_written() -> None:
    address = address_of("S3://bucket/flight/a b/1.jpg/")
    assert address is not None and str(address) == "s3://bucket/flight/a b/1.jpg"
    assert (address.name, address.stem, str(address.parent)) == ("1.jpg", "1", "s3://bucket/flight/a b")
    assert address.relative_to(address_of("s3://bucket/flight")).as_posix() == "a b/1.jpg"
    assert f"{address / 'x'}" == "s3://bucket/flight/a b/1.jpg/x" and isinstance(address / "x", Address)


def test_what_is_listed_goes_with_it_to_other_processes() -> None:
    address = address_of("s3://bucket/1.tif")
    assert address is not None
    sent = pickle.loads(pickle.dumps(address.with_facts(Listed(7, 8, (("1.tfw", Listed(1, 2)),)))))
    assert sent == address and sent.listed == Listed(7, 8, (("1.tfw", Listed(1, 2)),)) and address.listed is None


def test_paths_of_this_machine_are_none() -> None:
    assert [address_of(text) for text in ("a/b", "/s3:/b", "C:\\a", "s3:/b/c", "a b://c")] == [None] * 5
    assert not isinstance(Path("s3://bucket/a"), Address)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://host/a.jpg", "must be a path, or an address of s3://, gs://, az://, abfs://; got https://"),
        ("s3://name:word@bucket/a", "without a password"),
        ("s3://bucket/a?X-Amz-Signature=word", "without a password or a query"),
        ("s3://", "must be s3://BUCKET/PREFIX"),
        ("s3://bucket/../a", "must be s3://BUCKET/PREFIX"),
    ],
)
def test_others_are_errors_that_repeat_no_secret(text: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        address_of(text)
    assert said in str(error.value) and "word" not in str(error.value).replace("password", "")


def test_secrets_go_from_texts() -> None:
    text = 'no "http://name:word@host:90/b?X-Signature=word" and s3://bucket/a'
    assert without_secrets(text) == 'no "http://host:90/b" and s3://bucket/a'
