"""An object store for tests: a server of S3 on this machine, with its buckets as dictionaries."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

ACCESS, SECRET = "AKIATESTTESTTEST", "a-secret-that-nobody-may-read"


SERVER = """
import sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://{}:{}".format(*server.get_host_and_port()), flush=True)
sys.stdin.read()
server.stop()
"""
"""A server in a process of its own: GDAL waits for it while it keeps the threads of this one from running."""


@contextmanager
def s3_server() -> Iterator[str]:
    """Yield the address of a server of S3 that runs for the block."""
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None and server.stdout is not None
    try:
        yield server.stdout.readline().strip()
    finally:
        server.stdin.close()
        server.wait(30)


@contextmanager
def empty_store(address: str) -> Iterator[Any]:
    """Yield a client of a server without buckets; the environment has its address and credentials for the block."""
    import boto3
    from s3fs import S3FileSystem

    given = {
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": address,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        S3FileSystem.clear_instance_cache()
        try:
            urlopen(Request(f"{address}/moto-api/reset", method="POST")).close()
            yield boto3.client("s3")
        finally:
            S3FileSystem.clear_instance_cache()


def upload(client: Any, folder: Path, bucket: str, prefix: str) -> None:
    """Put the files of a folder below a prefix."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            client.put_object(
                Bucket=bucket, Key=f"{prefix}/{path.relative_to(folder).as_posix()}", Body=path.read_bytes()
            )


def keys(client: Any, bucket: str, prefix: str) -> list[str]:
    """The names of the objects below a prefix, relative to it."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    return [each["Key"].removeprefix(f"{prefix}/") for page in pages for each in page.get("Contents", ())]


def download(client: Any, bucket: str, prefix: str, folder: Path) -> Path:
    """Copy the objects below a prefix into a folder."""
    for key in keys(client, bucket, prefix):
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(client.get_object(Bucket=bucket, Key=f"{prefix}/{key}")["Body"].read())
    return folder
