"""Addresses: what the user writes, and nothing else; paths by their parts."""

import pickle
import sys
from pathlib import Path

import pytest
from fsspec.registry import _registry, known_implementations

from detect.imagery.finding.listing import find_images
from detect.imagery.remote.address import SERVICES, Address, Listed, address_of, without_secrets
from detect.imagery.remote.store import store_errors


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


@pytest.mark.parametrize("protocol", SERVICES)
def test_the_package_of_a_store_is_the_one_that_fsspec_takes(protocol: str) -> None:
    assert known_implementations[protocol]["class"].partition(".")[0] == SERVICES[protocol].package


@pytest.mark.parametrize(("protocol", "package"), [("gs", "gcsfs"), ("az", "adlfs"), ("abfs", "adlfs")])
def test_a_store_whose_package_is_not_installed_says_how_to_install_it(
    protocol: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(_registry, protocol, raising=False)
    images = address_of(f"{protocol}://bucket/x")
    assert images is not None
    with pytest.raises(ValueError) as error:
        find_images(images)
    assert str(error.value) == f"{images}: {protocol}:// needs the package {package}; pip install {package}"


@pytest.mark.parametrize(
    ("protocol", "words"),
    [("s3", "AWS_PROFILE"), ("gs", "GOOGLE_APPLICATION_CREDENTIALS"), ("az", "AZURE_STORAGE_CONNECTION_STRING")],
)
def test_a_store_that_refuses_names_its_own_credentials(protocol: str, words: str) -> None:
    address = Address(f"{protocol}:", "bucket", "a.jpg")
    with pytest.raises(PermissionError) as error, store_errors(address, "read"):
        raise PermissionError("forbidden")
    assert words in str(error.value) and (protocol == "s3") == ("AWS" in str(error.value))


def test_secrets_go_from_texts() -> None:
    text = 'no "http://name:word@host:90/b?X-Signature=word" and s3://bucket/a'
    assert without_secrets(text) == 'no "http://host:90/b" and s3://bucket/a'
