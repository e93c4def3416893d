from pathlib import Path

import numpy as np

from detect.imagery.resolution import Resolution
from detect.labels.formats.patch_folder import read_patch_folder
from detect.samples.bare.folder_dataset import FolderDataset
from detect.samples.bare.folder_samples import FolderDraw, folder_samples_of
from detect.samples.bare.folder_spec import folder_values
from detect.samples.bare.patch_files import PatchFiles
from tests.samples.bare.patch_folders import patches, save, spec_of


def test_bare_patches_are_resampled_too(tmp_path: Path) -> None:
    """Patches of 32 pixels seen at a half are 16 wide; averages of squares of two."""
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    path = save(tmp_path / "cow" / "0.png", pixels)
    patches(tmp_path, "ground/0.png")
    spec = spec_of(read_patch_folder(tmp_path), ["ground"], resolution=Resolution(0.5))
    assert spec.head.patch_size == 16
    seen = FolderDataset([path], np.array([1]), PatchFiles(spec))[0][0].numpy()
    wanted = pixels.reshape(16, 2, 16, 2, 3).astype(float).mean(axis=(1, 3)).transpose(2, 0, 1)
    np.testing.assert_array_equal(seen, np.rint(wanted))


def test_what_is_masked_of_a_patch_is_in_no_statistic_and_is_filled_as_in_images(tmp_path: Path) -> None:
    """The left half is transparent, with 255 under it; the other is 80. A patch without a valid pixel says nothing."""
    pixels = np.full((32, 32, 4), 80, np.uint8)
    pixels[:, 16:, 3] = 255
    pixels[:, :16] = (255, 255, 255, 0)
    path = save(tmp_path / "cow" / "0.png", pixels)
    save(tmp_path / "cow" / "1.png", np.zeros((32, 32, 4), np.uint8))
    folder = read_patch_folder(tmp_path)
    spec = spec_of(folder, [])
    values = folder_values(folder, spec, "auto", 0)
    assert {(band.least, band.most) for band in values.looks.bands} == {(80.0, 80.0)}
    samples = folder_samples_of(folder, spec, None, FolderDraw((), 0.5, 0, 0), 0, (100.0, 110.4, 120.0))
    seen = FolderDataset([path], np.array([0]), samples.val.files)[0][0].numpy()
    assert (seen[:, :, 16:] == 80).all() and (seen[:, :, :16] == np.array([100, 110, 120])[:, None, None]).all()
