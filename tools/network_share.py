"""The share of the bare network's rate that is left from file to counts, and the share that is possible at all."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rasterio

from detect.nets.machine.processors import usable_cores

POSSIBLE = "possible"


def decode_copies(photograph: Path, copies: int) -> None:
    """Decode an image whole some times, in as many threads as there are cores, and nothing else."""

    def one(_: int) -> int:
        with rasterio.open(photograph) as source:
            return int(source.read([1, 2, 3]).shape[1])

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(one, range(copies)))


def possible_share(network: float, decoding: float) -> float:
    """Return the share of the bare network's rate that is possible where the same cores decode the images too.

    Where all cores are busy, what is decoded is not computed: of an hour of the processor the network has its own part.

    Args:
        network: the processor's seconds of the bare network, of an image's tiles.
        decoding: those of decoding that image alone.
    """
    return network / (network + decoding)


def shares(
    rates: Mapping[str, float | None], overhead: float, cpu: Mapping[str, float], ways: tuple[str, ...]
) -> dict[str, float]:
    """Return the share of the bare network's rate that each way from file to counts has, and the possible one.

    Args:
        rates: megapixels a second, of each way those of images, of `network` those of tiles; None where left out.
        overhead: tile pixels over image pixels.
        cpu: the processor's seconds a megapixel of images, of `network` and of `decoding` where they were measured.
        ways: what goes from file to counts.
    """
    bare = rates.get("network")
    found = {way: rate * overhead / bare for way in ways if bare and (rate := rates.get(way))}
    if {"network", "decoding"} <= set(cpu):
        found[POSSIBLE] = possible_share(cpu["network"], cpu["decoding"])
    return found
