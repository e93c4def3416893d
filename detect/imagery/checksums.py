"""The sums that deflated TIFFs carry of every block, which the decoder of TIFF often does not look at.

It stops when a block is full, before the sum at the end of a stream that goes on: of single changed bytes in such files
a fifth to two fifths gave other pixels without a word. (Libdeflate, which decodes in rasterio's wheels, refuses a block
by its sum where the stream ends with it; one that goes on passes.) The sum of the decoded pixels, put back as they are
stored, takes a tenth of the time of a second decoding, which is left for blocks that cannot be put back: those at the
edges of what was read, and other types. Formats: TIFF 6.0 (section 14: differences of neighbours, the predictor);
RFC 1950 (Adler-32 at the end of a zlib stream).
"""

import sys
import zlib
from collections import OrderedDict
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detect.imagery.remote.stand_ins import open_bytes
from detect.imagery.values.adler import StoredBlock, block_sums
from detect.imagery.windows import Window

PIECE_BYTES = 1 << 20
"""How much of a stream is decoded at once; nothing of it is kept."""

READ_BYTES = 1 << 16
"""How much of a stream is read at once: what was read and is not decoded yet is copied for every piece."""

SUM_BYTES = 4
"""The length of a sum, the last bytes of a stream."""

MOST_PUT_BACK = 8 << 20
"""Most bytes of a block whose pixels are copied to be put back."""

WHOLE, DIFFERENCES = "1", "2"
"""Predictors of TIFF whose values can be put back: none, and differences of neighbours in a row."""

MOST_FILES = 64
"""Files whose checked blocks are remembered, so that a block is checked once however often it is read."""

_checked: OrderedDict[tuple[Path, int, int], set[tuple[int, int, int]]] = OrderedDict()


class DeflateSums:
    """Checks the blocks of an open TIFF against their sums.

    Args:
        path: the file.
        source: its rasterio dataset.
    """

    def __init__(self, path: Path, source: Any) -> None:
        self._source = source
        structure = source.tags(ns="IMAGE_STRUCTURE")
        self.needed = source.driver == "GTiff" and structure.get("COMPRESSION") == "DEFLATE"
        if not self.needed:
            return
        self._apart = structure.get("INTERLEAVE") == "BAND"
        self._shape: tuple[int, int] = source.shape
        rows, cols = self._block = self._stored_block()
        item = max(16 if name.startswith("complex") else 8 for name in source.dtypes)
        self._most = rows * cols * item * (1 if self._apart else source.count)
        facts = path.stat()
        self._good = _checked.setdefault((path.absolute(), facts.st_size, facts.st_mtime_ns), set())
        while len(_checked) > MOST_FILES:
            _checked.popitem(last=False)
        self._opened = ExitStack()
        self._file = self._opened.enter_context(open_bytes(path, buffering=0))
        self._predictor = structure.get("PREDICTOR", WHOLE)
        self._put_back = dict.fromkeys((False, True), self._is_put_back())  # inside of the image, and across its edges

    def _is_put_back(self) -> bool:
        """Return whether the stored bytes of a block can be made of its pixels: whole numbers of one or two bytes."""
        names = set(self._source.dtypes)
        bytes_alone, order = names <= {"uint8", "int8"}, self._file.read(2)
        ordered = bytes_alone or (names <= {"uint16", "int16"} and order == b"II" and sys.byteorder == "little")
        if len(names) > 1 or not ordered or self._predictor not in (WHOLE, DIFFERENCES):
            return False
        numbers = self._block[0] * self._block[1] * (1 if self._apart else self._source.count)
        return numbers * np.dtype(names.pop()).itemsize <= MOST_PUT_BACK

    def _stored_block(self) -> tuple[int, int]:
        """Return the rows and columns of a block in the file.

        GDAL hands out an image of one high strip row by row, as if each were a block; only the first is in the file.
        """
        height, (rows, cols) = self._source.height, self._source.block_shapes[0]
        if rows == 1 and not any(self._place(f"0_{row}", 1)[1] for row in {1, height // 2, height - 1} - {0}):
            return height, cols
        return rows, cols

    def _place(self, name: str, band: int) -> tuple[int, int]:
        """Return where a block begins in the file, and its length in bytes: 0 where the file does not hold it."""
        start, length = (
            self._source.get_tag_item(f"BLOCK_{what}_{name}", "TIFF", bidx=band) for what in ("OFFSET", "SIZE")
        )
        return int(start or 0), int(length or 0) if start else 0

    @property
    def rows(self) -> int:
        """The rows of a block."""
        return self._block[0]

    def told_by(self, bands: list[int]) -> list[int]:
        """Return the bands whose pixels tell the sums of the blocks in which some bands are: those, or all."""
        return bands if self._apart or not any(self._put_back.values()) else list(self._source.indexes)

    def close(self) -> None:
        """Close the file."""
        if self.needed:
            self._opened.close()

    def wrong(self, window: Window, bands: list[int], pixels: NDArray[np.generic] | None = None) -> list[str]:
        """Return a sentence for every block under a window, in the file's pixels, whose sum is not that of its pixels.

        Blocks that the file does not hold, as those of a sparse one, have no sum.

        Args:
            window: pixels of the file.
            bands: of the file, from 1.
            pixels: (bands, window.height, window.width) that were decoded of it; None where they are not at hand.
        """
        if not self.needed:
            return []
        (rows, cols), found = self._block, []
        streams = bands if self._apart else [1]
        for row in range(window.row // rows, (window.row_stop - 1) // rows + 1):
            every = range(window.col // cols, (window.col_stop - 1) // cols + 1)
            left = [col for col in every if any((band, row, col) not in self._good for band in streams)]
            sums = {} if pixels is None or not left else self._sums_of_row(pixels, window, bands, row, left)
            for col in left:
                for band, known in zip(streams, sums.get(col, [None] * len(streams)), strict=True):
                    if (band, row, col) in self._good:
                        continue
                    reason = self._wrong_block(f"{col}_{row}", band, known, self._is_cut(row, col))
                    if reason:
                        found.append(f"block {row}, {col}: {reason}")
                    else:
                        self._good.add((band, row, col))
        return found

    def _is_cut(self, row: int, col: int) -> bool:
        """Return whether a block reaches beyond the image."""
        return (row + 1) * self._block[0] > self._shape[0] or (col + 1) * self._block[1] > self._shape[1]

    def _sums_of_row(
        self, pixels: NDArray[np.generic], window: Window, bands: list[int], row: int, columns: list[int]
    ) -> dict[int, list[int]]:
        """Return the sums of blocks of one row, by column, of each stream; those that the pixels do not tell are left.

        Tiles are filled up with zeros beyond the image, as GDAL writes them; the last strip ends with it. Differences
        that go back to zeros in each row have a sum that says little more than that of the pixels: it is not told.
        """
        (rows, cols), (height, width) = self._block, self._shape
        top, bottom = row * rows, min((row + 1) * rows, height)
        known = self._apart or bands == list(self._source.indexes)
        if not known or top < window.row or bottom > window.row_stop:
            return {}
        inside = [
            col for col in columns if col * cols >= window.col and (col + 1) * cols <= min(window.col_stop, width)
        ]
        edge = [col for col in columns if col * cols >= window.col and (col + 1) * cols > width == window.col_stop]
        differences = self._predictor == DIFFERENCES
        found: dict[int, list[int]] = {}
        stored = StoredBlock(bottom - top if cols == width else rows, cols, differences, self._apart)
        for chosen in (inside, edge if not differences else []):
            if not chosen or not self._put_back[self._is_cut(row, chosen[-1])]:
                continue
            number = chosen[-1] + 1 - chosen[0]
            part = slice(chosen[0] * cols - window.col, min((chosen[-1] + 1) * cols, width) - window.col)
            sums = block_sums(pixels[:, top - window.row : bottom - window.row, part], number, stored)
            found |= {chosen[0] + i: sums[:, i].tolist() for i in range(number)}
        return found

    def _wrong_block(self, name: str, band: int, known: int | None, cut: bool) -> str:
        """Return what is wrong with one block, empty for nothing; of a known sum of its pixels that one is compared."""
        place, left = self._place(name, band)
        if not left:
            return ""
        if known is not None and self._sum(place + left) == known:
            return ""
        reason = self._wrong_stream(place, left)
        self._put_back[cut] &= known is None or bool(reason)  # else this file stores such blocks otherwise
        return reason

    def _sum(self, end: int) -> int:
        """Return the sum at the end of a stream."""
        self._file.seek(end - SUM_BYTES)
        return int.from_bytes(self._file.read(SUM_BYTES), "big")

    def _wrong_stream(self, place: int, left: int) -> str:
        """Return what is wrong with a stream of so many bytes, by decoding it; empty for nothing."""
        self._file.seek(place)
        stream, made = zlib.decompressobj(), 0
        try:
            while not stream.eof and made <= self._most:
                data = stream.unconsumed_tail
                if not data:
                    data = self._file.read(min(left, READ_BYTES))
                    left -= len(data)
                piece = stream.decompress(data, PIECE_BYTES)
                made += len(piece)
                if not piece and not data:
                    return "its deflated pixels end too early"
        except zlib.error as error:
            return f"its deflated pixels are not those that were written ({error})"
        return "" if stream.eof else "its deflated pixels are more than the block has"
