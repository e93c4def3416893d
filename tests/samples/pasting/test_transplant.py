"""Objects of patches laid onto empty patches."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from detect.imagery.resolution import Resolution
from detect.labels.formats.patch_folder import PatchFolder, read_patch_folder
from detect.nets.net_spec import BackboneSpec, NetSpec
from detect.samples.bare.folder_dataset import FolderDataset
from detect.samples.bare.folder_samples import FolderDraw, folder_samples_of
from detect.samples.bare.folder_spec import folder_spec
from detect.samples.bare.patch_files import PatchFiles
from detect.samples.pasting.cutouts import CutOut
from detect.samples.pasting.grabcut import cut_object
from detect.samples.pasting.transplant import PasteOnOtherGround

SIDE = 64


def spec_of(folder: PatchFolder, negative: tuple[str, ...]) -> NetSpec:
    """What a classifier of a folder is built from, on the smallest backbone."""
    return folder_spec(folder, negative, lambda bands: BackboneSpec("test_resnet", 16, bands=bands), None, Resolution())


def inside(side: int = SIDE, length: float = 0.45, width: float = 0.2) -> NDArray[np.bool_]:
    """An ellipse across the diagonal of a patch, off its middle by 2 %."""
    rows, cols = np.mgrid[:side, :side] / side - 0.48
    along, across = (rows + cols) / np.sqrt(2), (rows - cols) / np.sqrt(2)
    return np.hypot(along / (length / 2), across / (width / 2)) < 1


def patch(side: int = SIDE, bands: int = 3, dtype: str = "uint8", *, ground: float = 60) -> NDArray[np.generic]:
    """Noise about a grey, with a bright ellipse."""
    rng = np.random.default_rng(0)
    pixels = rng.normal(ground, 4, (bands, side, side))
    pixels[:, inside(side)] += 120
    scaled = pixels * (1 if dtype == "uint8" else 100)
    return scaled.astype(dtype)


def cut(pixels: NDArray[np.generic], size: float) -> CutOut | None:
    """Cut out what is in the middle, about so long."""
    return cut_object(pixels, np.array(pixels.shape[:0:-1]) / 2, np.full(2, size))


def grounds(value: int) -> NDArray[np.uint8]:
    """An empty patch that is brighter to the right."""
    return np.broadcast_to(np.arange(SIDE, dtype=np.uint8) // 4 + value, (3, SIDE, SIDE)).copy()


@pytest.mark.parametrize(
    ("bands", "dtype", "side"),
    [(3, "uint8", 64), (1, "uint8", 64), (5, "float32", 64), (1, "uint16", 96), (3, "uint8", 240)],
)
def test_what_is_cut_out_is_the_object(bands: int, dtype: str, side: int) -> None:
    piece = cut(patch(side, bands, dtype), 0.5 * side)
    assert piece is not None and piece.hw == (side, side) and piece.cover.dtype == np.float32
    assert piece.cover[inside(side)].mean() > 0.9
    assert piece.cover[~inside(side, 0.6, 0.35)].max() < 0.02


def test_what_cannot_be_told_from_its_ground_is_not_cut_out() -> None:
    """A stone of the size of the core, and an object as large as the patch."""
    ground = np.full((3, SIDE, SIDE), 60, np.uint8)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    ground[:, np.hypot(rows - 31.5, cols - 31.5) < 3] = 200
    assert cut(ground, 0.5 * SIDE) is None
    assert cut(np.full((1, SIDE, SIDE), np.nan, np.float32), 0.5 * SIDE) is None
    assert cut(patch(), 2 * SIDE) is None


def paste(
    patches: dict[str, NDArray[np.generic]], empty: NDArray[np.generic], share: float = 1.0
) -> PasteOnOtherGround:
    """One that reads from memory; all patches are of output 1."""
    held = {Path(name): pixels for name, pixels in patches.items()} | {Path("empty"): empty}
    objects = {1: [Path(name) for name in patches]}
    return PasteOnOtherGround(share, SIDE, held.__getitem__, objects, [Path("empty")])


def test_an_object_is_laid_onto_other_ground() -> None:
    pixels, other = patch(), grounds(100)
    move = paste({"a": pixels}, other)
    core = inside(length=0.3, width=0.1)
    seen = set()
    for seed in range(8):
        laid = move(Path("a"), 1, seed)
        assert laid.dtype == np.uint8
        corners = laid[0, [0, 0, -1, -1], [0, -1, 0, -1]]
        assert sorted(corners.tolist()) == [100, 100, 115, 115]
        assert 0.84 < laid[:, core].mean() / pixels[:, core].mean() < 1.16
        assert (laid == move(Path("a"), 1, seed)).all()
        seen.add(laid.tobytes())
    assert len(seen) > 4


def test_what_cannot_be_cut_out_stays_and_a_share_of_the_others_moves() -> None:
    """Half the patches have no object; every second of the others moves, 200 of 400."""
    flat = np.full((3, SIDE, SIDE), 60, np.uint8)
    move = paste({"a": patch(), "b": flat}, grounds(100), share=0.5)
    assert move.object_cutouts.rates == {1: 0.5}
    moved = sum(move(Path("a"), 1, seed)[0, 0, 0] >= 100 for seed in range(400))
    assert 150 < moved < 250  # 5 standard deviations of 10
    assert all((move(Path("b"), 1, seed) == flat).all() for seed in range(8))


def test_a_piece_of_an_object_is_not_taken_for_one() -> None:
    """Of three patches one holds something of a sixteenth of the others' area."""
    small = np.full((3, SIDE, SIDE), 60, np.uint8)
    small[:, 27:37, 27:37] = 180
    move = paste({"a": patch(), "b": small, "c": patch()}, grounds(100))
    assert move.object_cutouts.rates == {1: pytest.approx(2 / 3)} and paste(
        {"b": small}, grounds(100)
    ).object_cutouts.rates == {1: 1}
    assert all((move(Path("b"), 1, seed) == small).all() for seed in range(8))


def test_an_object_that_would_not_show_stays() -> None:
    pixels = patch()
    assert paste({"a": pixels}, np.full((3, SIDE, SIDE), 180, np.uint8))(Path("a"), 1, 0) is pixels


def write(folder: Path) -> None:
    for name, number in (("animals", 6), ("ground", 4), ("stones", 2)):
        (folder / name).mkdir(parents=True)
        for i in range(number):
            pixels = grounds(60 + i) if name == "ground" else patch(ground=20 + i)
            Image.fromarray(np.moveaxis(pixels, 0, 2)).save(folder / name / f"{i}.png")


@pytest.mark.parametrize("negative", [("ground", "stones"), ()])
def test_bare_patches_move_onto_those_of_the_background(tmp_path: Path, negative: tuple[str, ...]) -> None:
    """Stones are hard negatives: they do not move, and nothing is pasted onto them, nor without a background."""
    write(tmp_path)
    folder = read_patch_folder(tmp_path)
    samples = folder_samples_of(folder, spec_of(folder, negative), None, FolderDraw(negative, 0.25, 0.5, 1.0), 0)
    for patches in (samples.epoch(0), samples.val):
        assert isinstance(patches, FolderDataset)
        for i, path in enumerate(patches.paths):
            pixels, output = patches[i]
            own = np.moveaxis(np.asarray(Image.open(path)), 2, 0)
            moved = bool(negative) and patches is not samples.val and path.parent.name == "animals"
            assert (output == 0) == (path.parent.name in (negative or ("animals",)))
            assert (pixels.numpy() == own).all() == (not moved)
            if moved:
                assert pixels[:, 0, 0].min() >= 60 and pixels[:, SIDE // 2, SIDE // 2].min() > 120
    expected = "100% of animals" if negative else "there are no empty patches"
    assert [expected in note for note in samples.notes] == [False, True]


def test_a_file_is_read_once(tmp_path: Path) -> None:
    write(tmp_path)
    files = PatchFiles(spec_of(read_patch_folder(tmp_path), ("ground",)), cache=1 << 20)
    assert files.read(tmp_path / "animals/0.png") is files.read(tmp_path / "animals/0.png")
