"""The sums that deflated TIFFs carry of every block, which the decoder of TIFF often does not look at.

It stops when a block is full, before the sum at the end of its stream: of single changed bytes in such files a fifth to
two fifths gave other pixels without a word. Formats: TIFF 6.0; RFC 1950 (Adler-32 at the end of a zlib stream).
"""

import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

from detect.imagery.windows import Window

PIECE_BYTES = 1 << 20
"""How much of a stream is decoded at once; nothing of it is kept."""

READ_BYTES = 1 << 16
"""How much of a stream is read at once: what was read and is not decoded yet is copied for every piece."""

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
        rows, cols = self._block = self._stored_block()
        item = max(16 if name.startswith("complex") else 8 for name in source.dtypes)
        self._most = rows * cols * item * (1 if self._apart else source.count)
        facts = path.stat()
        self._good = _checked.setdefault((path.absolute(), facts.st_size, facts.st_mtime_ns), set())
        while len(_checked) > MOST_FILES:
            _checked.popitem(last=False)
        self._file = path.open("rb")

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

    def close(self) -> None:
        """Close the file."""
        if self.needed:
            self._file.close()

    def wrong(self, window: Window, bands: list[int]) -> list[str]:
        """Return a sentence for every block under a window, in the file's pixels, whose sum is not that of its pixels.

        Blocks that the file does not hold, as those of a sparse one, have no sum.
        """
        if not self.needed:
            return []
        (rows, cols), found = self._block, []
        for row in range(window.row // rows, (window.row_stop - 1) // rows + 1):
            for col in range(window.col // cols, (window.col_stop - 1) // cols + 1):
                for band in bands if self._apart else [1]:
                    if (band, row, col) in self._good:
                        continue
                    reason = self._wrong_block(f"{col}_{row}", band)
                    if reason:
                        found.append(f"block {row}, {col}: {reason}")
                    else:
                        self._good.add((band, row, col))
        return found

    def _wrong_block(self, name: str, band: int) -> str:
        """Return what is wrong with one block, empty for nothing."""
        place, left = self._place(name, band)
        if not left:
            return ""
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
