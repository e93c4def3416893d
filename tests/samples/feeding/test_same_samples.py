"""The same seed gives the same samples in the same order, whoever makes them: law 8's companion."""

import pickle
from dataclasses import replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.resolution import Resolution
from detect.labels.detections import Detections
from detect.labels.formats.patch_folder import read_patch_folder
from detect.nets.heads.specs import WholeHead
from detect.nets.net_spec import BackboneSpec
from detect.samples.augment import Augment
from detect.samples.bare.folder_samples import FolderDraw, folder_samples_of
from detect.samples.bare.folder_spec import folder_spec
from detect.samples.bare.patch_files import PatchFiles
from detect.samples.crops import CropEncoder, crop_samples_of
from detect.samples.epochs import CropDraw, Loading, Samples
from detect.samples.feeding.parts import InParts, MadeOfParts
from detect.samples.labelled_scenes import LabelledScene, SceneSplit
from detect.samples.loading import PatchData
from detect.samples.pasting.collage import PasteObjects
from detect.samples.pasting.paste_settings import GroundSettings, PasteSettings
from detect.samples.pixel_cache import PixelSource
from detect.samples.targets import PatchEncoder, TargetEncoder
from detect.samples.whole.patterns import PatternSettings
from detect.samples.whole.whole_images import whole_samples_of, whole_spec
from detect.samples.whole.whole_sides import Divided
from tests.cards import grid_head

LIGHT = {
    "SquareSymmetry": {},
    "Affine": {"scale": [0.8, 1.2], "rotate": [-20, 20], "border_mode": 4},
    "RandomGamma": {},
    "HueSaturationValue": {},
    "GaussNoise": {},
}
EPOCHS = 3
FORKED = [1, 2]


def scene(path: Path, seed: int) -> LabelledScene:
    rng = np.random.default_rng(seed)
    ground = rng.integers(60, 90, (160, 200, 3), np.uint8)
    places = [(40, 40), (140, 50), (60, 120), (150, 125)]
    for x, y in places:
        ground[y - 5 : y + 5, x - 5 : x + 5] = (220, 40, 30)
    Image.fromarray(ground).save(path)
    objects = Detections.truth(np.array(places, float), ["a"] * 4, ["a"])
    return LabelledScene(path.name, open_scene(path), objects, np.empty((0, 2)))


def crops(folder: Path, encoder: CropEncoder, budget: int) -> Samples:
    split = SceneSplit((scene(folder / "t.png", 0),), (scene(folder / "v.png", 1),), (), "")
    source = PixelSource((1, 2, 3), budget)
    objects = PasteSettings(p=0.7, number=(1, 2), feather=0.3, rare=0.0)
    paste = PasteObjects(split.train, source, objects, GroundSettings(0.5, (1, 1), 0.7, (0.25, 0.5)), 12.0, 0.5)
    return crop_samples_of(split, source, encoder, CropDraw(7, 64, 0.3, 0.0, 0.5), Augment(LIGHT), 3, paste)


def patches(folder: Path) -> Samples:
    for i in range(6):
        for name in ("a", "b"):
            path = folder / name / f"{i}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.random.default_rng(i).integers(0, 256, (32, 32, 3), np.uint8)).save(path)
    found = read_patch_folder(folder)
    spec = folder_spec(found, ["b"], lambda bands: BackboneSpec("test_resnet", 16, bands=bands), None, Resolution())
    return folder_samples_of(found, spec, Augment(LIGHT), FolderDraw(("b",), 0.25, 0.5, 0.5), 3)


def whole(folder: Path, cache: int) -> Samples:
    """Twelve maps of two classes, of which four validate: others are laid onto them, and defects drawn anew."""
    for name in ("a", "b"):
        (folder / name).mkdir()
        for i in range(6):
            pixels = np.random.default_rng((ord(name), i)).choice(np.array([90, 200], np.uint8), (16, 16))
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    found = read_patch_folder(folder)
    found = replace(found, split=("val", "train", "train") * 4)
    spec = whole_spec(
        found, WholeHead(16, "one", None), lambda bands: BackboneSpec("test_resnet", 16, bands=bands), None, ()
    )
    files, patterns = PatchFiles(spec, cache=cache), PatternSettings(0.5, 0.2, 0.2, 0.5)
    return whole_samples_of(Divided(found, (), ""), found.label, files, Augment(LIGHT), patterns, 0.5, 3)


class Clock:
    """Stands for a trainer on one processor."""

    current_epoch, num_devices, world_size, global_rank = 0, 1, 1, 0
    strategy = type("Strategy", (), {"root_device": torch.device("cpu")})()


def flat(batch: object) -> list[np.ndarray]:
    if isinstance(batch, dict):
        return [each for name in sorted(batch) for each in flat(batch[name])]
    if isinstance(batch, list | tuple):
        return [each for part in batch for each in flat(part)]
    return [np.asarray(batch)]


def loaded(samples: Samples, workers: int, method: str | None) -> list[np.ndarray]:
    """All batches of three epochs, and after each those that validate, as a training asks for them."""
    data = PatchData(samples.epoch, samples.val, Loading(3, workers, 0), method)
    data.trainer = Clock()
    seen = []
    for epoch in range(EPOCHS):
        data.trainer.current_epoch = epoch
        seen += [flat(batch) for loader in (data.train_dataloader(), data.val_dataloader()) for batch in loader]
    data.teardown("fit")
    return [array for batch in seen for array in batch]


def samples_of(kind: str, folder: Path) -> Samples:
    """A photograph has 96,000 bytes: with a budget of none it lies in a file, which the processes share."""
    if kind == "folder":
        return patches(folder)
    if kind.startswith("whole"):
        return whole(folder, 0 if kind == "whole, not kept" else 1 << 20)
    encoder = PatchEncoder(16, 1, 12.0, 20.0, 0) if kind == "patch" else TargetEncoder(grid_head(), 8, 1.5)
    return crops(folder, encoder, 0 if kind == "grid in files" else 1 << 30)


@pytest.mark.parametrize("kind", ["grid", "grid in files", "patch", "folder", "whole", "whole, not kept"])
def test_any_number_of_processes_makes_the_same_samples(kind: str, tmp_path: Path) -> None:
    """Also one that has the first epoch's state by value, and is sent the part of a sample of a later one."""
    samples = samples_of(kind, tmp_path)
    alone = loaded(samples, 0, None)
    assert len({array.tobytes() for array in alone}) > len(alone) / 3
    for workers in FORKED:
        for one, two in zip(alone, loaded(samples, workers, "fork"), strict=True):
            np.testing.assert_array_equal(one, two)
    first, later = samples.epoch(0), samples.epoch(2)
    assert isinstance(first, InParts) and isinstance(later, InParts)
    elsewhere = pickle.loads(ForkingPickler.dumps(MadeOfParts(first)))
    for i in range(len(later)):
        for one, two in zip(flat(later[i]), flat(elsewhere[later.part(i)]), strict=True):
            np.testing.assert_array_equal(one, two)


def test_spawned_processes_make_them_too_of_the_same_pixels(tmp_path: Path, forked: None) -> None:
    samples = samples_of("grid", tmp_path)
    seen = []
    for workers, method in ((0, None), (2, "spawn")):
        data = PatchData(samples.epoch, samples.val, Loading(3, workers, 0), method)
        seen.append([array for batch in data.train_dataloader() for array in flat(batch)])
        data.teardown("fit")
    for one, two in zip(*seen, strict=True):
        np.testing.assert_array_equal(one, two)


def test_processes_live_from_epoch_to_epoch_and_end_with_the_training(tmp_path: Path) -> None:
    samples = crops(tmp_path, TargetEncoder(grid_head(), 8, 1.5), 1 << 30)
    data = PatchData(samples.epoch, samples.val, Loading(3, 2, 0))
    data.trainer = Clock()
    alive = []
    for epoch in range(2):
        data.trainer.current_epoch = epoch
        loader = data.train_dataloader()
        list(loader)
        alive.append(list(loader._iterator._workers))
    assert [each.pid for each in alive[0]] == [each.pid for each in alive[1]] and len(alive[0]) == 2
    del loader
    data.teardown("fit")
    assert not any(each.is_alive() for each in alive[0])


@pytest.mark.parametrize("kind", ["grid", "whole"])
def test_two_devices_share_an_epoch_out_with_their_workers(kind: str, tmp_path: Path) -> None:
    """A batch of each together is a batch of twice the size, and what validates is seen once."""
    samples = samples_of(kind, tmp_path)
    seen: list[list[list[np.ndarray]]] = []
    for place, of, size, workers in ((0, 1, 4, 0), (0, 2, 2, 1), (1, 2, 2, 1)):
        data = PatchData(samples.epoch, samples.val, Loading(size, workers, 0), "fork" if workers else None)
        data.trainer = Clock()
        data.trainer.world_size, data.trainer.global_rank = of, place
        of_epochs = []
        for epoch in range(2):
            data.trainer.current_epoch = epoch
            of_epochs += [np.asarray(batch[0]) for batch in data.train_dataloader()]
        seen.append([of_epochs, [np.asarray(batch[0]) for batch in data.val_dataloader()]])
        data.teardown("fit")
    alone, first, second = seen
    for whole_batch, one, other in zip(alone[0], first[0], second[0], strict=True):
        np.testing.assert_array_equal(whole_batch[0::2], one)
        np.testing.assert_array_equal(whole_batch[1::2], other)
    assert len(first[1]) == len(second[1])
    counted = sorted(each.tobytes() for part in (first[1], second[1]) for batch in part for each in batch)
    assert counted == sorted(each.tobytes() for batch in alone[1] for each in batch)


def test_processes_share_the_bytes_that_images_may_keep(tmp_path: Path) -> None:
    """256 bytes an image: of 1,536 the first has kept two; of the rest, 1,024, two processes of each side keep one."""
    samples = whole(tmp_path, 1536)
    files = samples.val.files
    for path in samples.val.paths[:2]:
        files.read(path)
    loader = DataLoader(Kept(samples), num_workers=2, batch_size=None, multiprocessing_context="fork")
    assert {int(each) for each in loader} == {3 * 256}
    assert files.resident == 2 * 256


class Kept(Dataset[int]):
    """Reads all training images in a process, and says how many bytes it keeps."""

    def __init__(self, samples: Samples) -> None:
        self.images = samples.epoch(0)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        for path in self.images.paths:
            self.images.files.read(path)
        return self.images.files.resident


@pytest.mark.parametrize(("workers", "method"), [(0, None), (2, "fork")])
def test_no_sample_and_one(workers: int, method: str | None, tmp_path: Path) -> None:
    """Of none there is no batch, and of one there is one, of training samples too."""
    samples = samples_of("grid", tmp_path)
    for number in (0, 1):
        few = samples.epoch(0)
        few.crops = few.crops[:number]
        data = PatchData(lambda epoch, few=few: few, few, Loading(3, workers, 0), method)
        for loader in (data.train_dataloader(), data.val_dataloader()):
            assert [len(batch[0]) for batch in loader] == [1] * number
        data.teardown("fit")


@pytest.mark.parametrize(("share", "workers"), [(0.5, 1), (0.1, 0)])
def test_on_two_cores_an_epoch_tells_whether_a_process_beside_the_net_pays(
    share: float, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("detect.samples.loading.usable_cores", lambda: 2)
    monkeypatch.setattr("detect.samples.feeding.workers.SampleClock.share", share)
    samples = samples_of("grid", tmp_path)
    data = PatchData(samples.epoch, samples.val, Loading(3, None, 0), "fork")
    data.trainer = Clock()
    numbers = []
    with caplog.at_level("INFO"):
        for epoch in range(3):
            data.trainer.current_epoch = epoch
            numbers.append(data.train_dataloader().num_workers)
    assert numbers == [0, workers, workers]
    assert caplog.text.count(f"samples took {100 * share:.0f} % of an epoch's time") == 1
    data.teardown("fit")


def test_an_epoch_that_is_cut_short_leaves_nothing_to_the_next_and_an_error_no_process(tmp_path: Path) -> None:
    """The loader is held, as by a traceback; its processes end with the training."""
    samples = samples_of("grid", tmp_path)
    data = PatchData(samples.epoch, samples.val, Loading(2, 2, 0), "fork")
    data.trainer = Clock()
    loader = data.train_dataloader()
    next(iter(loader))
    data.trainer.current_epoch = 1
    second = [np.asarray(batch[0]) for batch in data.train_dataloader()]
    wanted = DataLoader(samples.epoch(1), batch_size=2, drop_last=True)
    for one, two in zip(wanted, second, strict=True):
        np.testing.assert_array_equal(np.asarray(one[0]), two)
    processes = list(loader._iterator._workers)
    assert all(each.is_alive() for each in processes)
    data.teardown("fit")
    assert len(processes) == 2 and not any(each.is_alive() for each in processes)
