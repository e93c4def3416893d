import logging
from pathlib import Path

import pytest
from PIL import Image

from detect.samples import copies
from detect.samples.copies import END_BYTES, SplitFile, check_copies, check_mosaics, same_files


def write(folder: Path, **contents: bytes) -> dict[str, Path]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}


def filed(paths: dict[str, Path], **sides: str) -> list[SplitFile]:
    return [SplitFile(name, paths[name], side) for name, side in sides.items()]


def test_copies_on_two_sides_are_an_error_that_names_both(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = write(tmp_path, one=b"abcd", two=b"abce", copy=b"abcd")
    files = filed(paths, one="train", two="val", copy="test")
    with pytest.raises(ValueError, match=r"one \(train\).*copy \(test\).*\(1 such.*data\.split\.copies=warn"):
        check_copies(files, "error")
    check_copies(files, "warn")
    assert "one (train) and copy (test)" in caplog.text
    with pytest.raises(ValueError, match=r"data\.split\.copies.*ignore"):
        check_copies(files, "ignore")


def test_copies_on_one_side_are_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = write(tmp_path, one=b"abcd", two=b"abce", copy=b"abcd")
    check_copies(filed(paths, one="train", two="val", copy="train"), "error")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "one = copy" in caplog.text and "two" not in caplog.text


def test_parts_of_one_image_are_no_copies_of_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, one=b"abcd")["one"]
    check_copies([SplitFile("one [rows 0-9]", path, "train"), SplitFile("one [rows 20-29]", path, "val")], "error")
    assert not caplog.records


def test_copies_that_are_both_cut_into_parts_are_on_two_sides(tmp_path: Path) -> None:
    """What of the one trains may be what of the other validates."""
    paths = write(tmp_path, one=b"abcd", copy=b"abcd")
    files = [SplitFile(f"{name} {side}", path, side) for name, path in paths.items() for side in ("train", "val")]
    with pytest.raises(ValueError, match=r"\(2 such pairs\).*data\.split\.copies"):
        check_copies(files, "error")


def test_files_that_differ_in_the_middle_alone_are_two(tmp_path: Path) -> None:
    """Of 3 edges' length, equal at both ends."""
    start, middle = b"s" * END_BYTES, b"m" * END_BYTES
    paths = write(tmp_path, a=start + middle + start, b=start + b"n" + middle[1:] + start, c=start + middle + start)
    assert same_files(paths.values()) == [[paths["a"], paths["c"]]]


def test_only_files_of_equal_size_and_ends_are_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 600 sizes, two equal; of these, one begins otherwise than the others."""
    names = {f"f{i}": bytes(i) for i in range(600)} | {"x": b"x" * 10, "y": b"x" * 10}
    paths = write(tmp_path, **names)
    whole: list[str] = []
    real = copies._digest
    monkeypatch.setattr(copies, "_digest", lambda path: whole.append(path.name) or real(path))
    assert same_files(paths.values()) == [[paths["x"], paths["y"]]]
    assert whole == ["x", "y"]


def test_a_mosaic_and_an_image_that_it_shows_are_the_same_ground(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Image.new("L", (4, 3)).save(tmp_path / "a.png")
    source = '<SimpleSource><SourceFilename relativeToVRT="1">a.png</SourceFilename></SimpleSource>'
    band = f'<VRTRasterBand dataType="Byte" band="1">{source}</VRTRasterBand>'
    paths = write(tmp_path, vrt=f'<VRTDataset rasterXSize="4" rasterYSize="3">{band}</VRTDataset>'.encode())
    paths = {"m": paths["vrt"].rename(tmp_path / "m.vrt"), "a": tmp_path / "a.png"}
    with pytest.raises(ValueError, match=r"m \(train\) is a mosaic that shows a \(val\).*data\.split\.copies=warn"):
        check_mosaics(filed(paths, m="train", a="val"), "error")
    for files in (filed(paths, m="train", a="val"), filed(paths, m="train", a="train")):
        caplog.clear()
        check_mosaics(files, "warn" if files[1].side == "val" else "error")
        assert "the same ground is there twice" in caplog.text
    caplog.clear()
    check_mosaics(filed(paths, a="train"), "error")
    assert not caplog.text
