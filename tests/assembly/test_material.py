"""From settings and labels to what a training run learns, for both families."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from PIL import Image

from detect.assembly.command import conf_folder
from detect.assembly.given_labels import labels_aside, read_labels
from detect.assembly.material import TrainingMaterial, training_material
from detect.assembly.sides import sides_of_model
from detect.assembly.trainer import make_module
from detect.assembly.validation import HALO_TOLERANCE, completed_card, measured_halo, scene_validator
from detect.learning.grid import GridModule
from detect.learning.patch import ClassifierModule
from detect.nets.card import GridSpec
from detect.nets.heads.grid import GridDetector
from detect.nets.modelfile import build_net
from detect.samples.crops import CropDataset

torch.set_num_threads(1)
SMALL = ("net.backbone=test_resnet", "net.weights=none", "net.deepest=16", "net.width=16", "data.sampling.crop=64")
ROWS = [
    ("0.png", 20, 30, "a"),
    ("0.png", 70, 60, "b"),
    ("0.png", 90, 90, "a"),
    ("1.png", 50, 50, "a"),
    ("1.png", 99, 9, "b"),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two images of noise, 120 x 120, with `points.csv`, and `boxes.csv` of 16 x 25 pixels; the second validates."""
    for name in ("0.png", "1.png"):
        noise = np.random.default_rng(int(name[0])).integers(0, 256, (120, 120, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / name)
    sides = {"0.png": "train", "1.png": "val"}
    points = [{"image": i, "x": x, "y": y, "label": label, "split": sides[i]} for i, x, y, label in ROWS]
    boxes = [
        {
            "image": i,
            "xmin": x - 8,
            "ymin": max(0, y - 12.5),
            "xmax": x + 8,
            "ymax": y + 12.5,
            "label": label,
            "split": sides[i],
        }
        for i, x, y, label in ROWS
    ]
    pd.DataFrame(points).to_csv(tmp_path / "points.csv", index=False)
    pd.DataFrame(boxes).to_csv(tmp_path / "boxes.csv", index=False)
    return tmp_path


def settings(data: Path, table: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        given = [f"data.root={data}", f"data.annotations={data / table}", "net=grid", *SMALL, *overrides]
        return compose("train", given)


def job_of(cfg: DictConfig) -> TrainingMaterial:
    return training_material(cfg, read_labels(cfg))


def test_boxes_are_learnt_where_boxes_are_labelled_and_points_where_points_are(data: Path) -> None:
    """By the annotations alone: the typical side of a box of 16 x 25 is sqrt(400) = 20; a point has none."""
    boxes, points = (job_of(settings(data, table)) for table in ("boxes.csv", "points.csv"))
    assert boxes.card.boxes and boxes.card.grid == GridSpec(16, 16, 1, 20.0) and boxes.card.patch_size == 20
    assert not points.card.boxes and points.card.grid == GridSpec(16, 16, 1, None)
    for job in (boxes, points):
        assert (job.card.kind, job.card.classes, job.card.background) == ("grid", ("a", "b"), None)
        assert job.card.finds and material.samples.outputs == {"a": 2, "b": 1}
        assert isinstance(material.samples.val, CropDataset) and material.samples.val.crops[0].window.height == 64
        assert len(job.samples.epoch(0)) == 240
    own = job_of(settings(data, "boxes.csv", "net.object_size=33", "net.slots=2", "net.stride=4"))
    assert own.card.grid == GridSpec(16, 16, 2, 33.0) and own.card.backbone.stride == 4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("data.sampling.crop=72",),
            r"data\.sampling\.crop must be a multiple of net\.deepest=16, twice or more, got 72",
        ),
        (
            ("data.sampling.crop=16",),
            r"data\.sampling\.crop must be a multiple of net\.deepest=16, twice or more, got 16",
        ),
        (("net.slots=0",), r"net\.slots must be 1 or more, got 0"),
        (("net.object_size=-3",), r"must be positive, got -3"),
        (("net.spread=0",), r"net\.spread must be positive, got 0"),
        (("data.sampling.empty_fraction=1",), r"data\.sampling\.empty_fraction must be in \[0, 1\), got 1"),
        (("data.labels.ignored=[c]", "data.labels.negative=[a,b]"), "no annotated objects"),
    ],
)
def test_settings_of_a_grid_that_cannot_be(data: Path, overrides: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        job_of(settings(data, "boxes.csv", *overrides))


def test_bare_patches_go_to_the_patch_classifier(data: Path) -> None:
    for name in ("x", "y"):
        (data / "patches" / name).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(data / "patches" / name / "0.png")
    cfg = settings(data, "boxes.csv", f"data.root={data / 'patches'}", "data.annotations=null")
    with pytest.raises(ValueError, match=r"net=grid needs annotated images .*bare patches go to net=patch"):
        job_of(cfg)


def test_ignored_and_negative_labels_are_no_objects(data: Path) -> None:
    """Boxes of b around (70, 60) and (99, 9): look-alikes to learn from, or regions to leave out."""
    negative = job_of(settings(data, "boxes.csv", "data.labels.negative=[b]"))
    ignored = job_of(settings(data, "boxes.csv", "data.labels.ignored=[b]"))
    for job in (negative, ignored):
        assert job.card.classes == ("a",) and material.samples.outputs == {"a": 2}
        assert job.split is not None and [len(side[0].objects) for side in (job.split.train, job.split.val)] == [2, 1]
    assert negative.split is not None and ignored.split is not None
    first = negative.split.train[0]
    assert first.negatives.tolist() == [[70, 60]] and len(first.ignored) == 0
    first = ignored.split.train[0]
    assert len(first.negatives) == 0 and first.ignored.tolist() == [[62, 47.5, 78, 72.5]]
    dataset = ignored.samples.epoch(0)
    assert isinstance(dataset, CropDataset)
    assert min(float(dataset[i][1]["seen"].min()) for i in range(8)) == 0
    with pytest.raises(ValueError, match="regions to ignore must be boxes"):
        job_of(settings(data, "points.csv", "data.labels.ignored=[b]"))


def test_the_card_learns_where_tiles_begin_and_how_far_the_net_looks(data: Path) -> None:
    cfg = settings(data, "boxes.csv")
    job = job_of(cfg)
    net = build_net(job.card)
    card = completed_card(cfg, job, net)
    assert card.align == 16 and card.halo is not None and card.halo > 0 and card.halo % 16 == 0
    assert (card.offset, card.scale) == ((127.0,) * 3, (128.0,) * 3)
    measured = measured_halo(net, card, job)
    assert measured.halo_auto is not None and measured.halo_auto % 16 == 0 and measured.halo_auto <= card.halo
    assert measured.halo_error is not None and measured.halo_error <= HALO_TOLERANCE


@pytest.mark.parametrize(
    ("table", "iou", "wanted"), [("boxes.csv", "0.4", 0.4), ("boxes.csv", "null", None), ("points.csv", "null", None)]
)
def test_validation_goes_by_iou_where_it_is_asked_for(data: Path, table: str, iou: str, wanted: float | None) -> None:
    cfg = settings(data, table, f"data.matching.iou={iou}", "data.matching.radius=12", "data.matching.select=count")
    job = job_of(cfg)
    net = build_net(job.card)
    counter = scene_validator(cfg, job, completed_card(cfg, job, net), net)
    assert counter is not None
    assert (counter.settings.criterion.radius, counter.settings.criterion.iou) == (12, wanted)
    plan = counter.finder.plan(net, 1e-2)
    assert counter.settings.select == "count" and plan.align == 16 and plan.halo % 16 == 0
    assert counter(net)["f1"] >= 0


def test_an_iou_is_for_boxes_that_are_found(data: Path) -> None:
    """Points have none, and a patch classifier finds points."""
    for table, net in (("points.csv", "grid"), ("boxes.csv", "patch")):
        cfg = settings(data, table, "data.matching.iou=0.4")
        if net == "patch":
            with initialize_config_dir(str(conf_folder()), version_base="1.3"):
                own = ["net.backbone=test_resnet", "net.weights=none", "data.matching.iou=0.4"]
                cfg = compose("train", [f"data.root={data}", f"data.annotations={data / table}", *own])
        job = job_of(cfg)
        made = build_net(job.card)
        with pytest.raises(ValueError, match=r"data\.matching\.iou=0.4 is for boxes found by net=grid; leave it out"):
            scene_validator(cfg, job, completed_card(cfg, job, made), made)


def test_regions_to_ignore_are_no_matter_of_bare_patches(data: Path) -> None:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("train", [f"data.root={data / 'patches'}", "data.labels.ignored=[x]"])
    for name in ("x", "y"):
        (data / "patches" / name).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(data / "patches" / name / "0.png")
    with pytest.raises(ValueError, match=r"data\.labels\.ignored is for annotated images"):
        job_of(cfg)


@pytest.mark.parametrize(
    "given",
    [
        "data.split.test=[a.png]",
        "data.split.val=[a.png]",
        "data.labels.ignored_regions=regions.csv",
        "data.split.val_from=parts",
    ],
)
def test_sides_and_regions_of_images_are_no_matter_of_bare_patches(data: Path, given: str) -> None:
    """They would be passed over, and someone would believe that a test was held back."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("train", [f"data.root={data / 'patches'}", given])
    for name in ("x", "y"):
        (data / "patches" / name).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(data / "patches" / name / "0.png")
    with pytest.raises(
        ValueError, match=rf"{given.partition('=')[0]}: for annotated images, and .* a folder of patches"
    ):
        job_of(cfg)


def test_labels_that_are_no_objects_are_known_to_the_model(data: Path) -> None:
    """What is named goes before what the model knows."""
    record = {"negative_labels": ["b"], "ignore_labels": []}
    cfg = settings(data, "boxes.csv")
    labels_aside(cfg, record)
    assert cfg.data.labels.negative == ["b"] and cfg.data.labels.ignored == []
    cfg = settings(data, "boxes.csv", "data.labels.negative=[a]")
    labels_aside(cfg, record)
    assert cfg.data.labels.negative == ["a"]


def test_a_photograph_that_was_cut_into_strips_is_known_as_learned_from(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The record of a run with `data.split.val_from=parts` names strips; the warning is of the photograph."""
    cfg = settings(data, "boxes.csv")
    annotations = read_labels(cfg)
    name = annotations.images[0].name
    cfg.data.split.test = [name]
    record = {"train": [f"{name} [rows 0-40, columns 0-120]"], "val": [f"{name} [rows 60-80, columns 0-120]"]}
    with caplog.at_level("WARNING"):
        assert sides_of_model(cfg, annotations, record)[name] == "test"
    assert f"data.split.test names {name}, which the model learned from" in caplog.text


def test_a_patch_is_of_whole_pixels(data: Path) -> None:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        own = ["net.backbone=test_resnet", "net.weights=none", "net.patch_size=48.5"]
        cfg = compose("train", [f"data.root={data}", f"data.annotations={data / 'boxes.csv'}", *own])
    with pytest.raises(ValueError, match=r"net\.patch_size must be whole pixels, or auto, got 48\.5"):
        job_of(cfg)


def test_a_module_is_of_its_networks_family_and_rare_classes_weigh_more(data: Path) -> None:
    """2 of a, 1 of b, b = 0.5: effective numbers 1 - 0.25 and 1 - 0.5 over 0.5, so b weighs 1.5 times as much as a.

    Drawn equally often (`data.sampling.balance=1`) both would weigh the same.
    """
    cfg = settings(data, "boxes.csv", "net.loss.box=3.0", "data.sampling.balance=0", "net.loss.classes.effective=0.5")
    job = job_of(cfg)
    net = build_net(job.card)
    module = make_module(cfg, net, job, None)
    assert isinstance(net, GridDetector) and isinstance(module, GridModule)
    weights = module.loss.label.weight.numpy()
    assert weights[1] / weights[0] == pytest.approx(1.5)
    assert (weights * [2, 1]).sum() / 3 == pytest.approx(1)
    assert module.loss.weights.box == 3.0
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        patch = compose(
            "train", [f"data.root={data}", f"data.annotations={data / 'boxes.csv'}", "net.backbone=test_resnet"]
        )
    job = job_of(patch)
    assert isinstance(make_module(patch, build_net(job.card), job, None), ClassifierModule)


@pytest.mark.parametrize(
    ("table", "given", "wanted"), [("boxes.csv", "auto", 0.8), ("points.csv", "auto", 1.5), ("points.csv", "0.6", 0.6)]
)
def test_dots_spare_more_cells_around_them_than_boxes(data: Path, table: str, given: str, wanted: float) -> None:
    """A dot is set by eye; the middle of a box is not."""
    val = job_of(settings(data, table, f"net.spread={given}")).task.val
    assert isinstance(val, CropDataset) and val.encoder.spread == wanted


@pytest.mark.parametrize(("weights", "keep"), [("none", 0), ("bundled", 4)])
def test_new_weights_all_learn(data: Path, weights: str, keep: int) -> None:
    """`finetune.keep` holds early layers that were trained before; those that were not must learn."""
    cfg = settings(data, "boxes.csv", f"net.weights={weights}", "net.backbone=tf_efficientnet_lite0", "finetune.keep=4")
    job = job_of(cfg)
    assert make_module(cfg, build_net(job.card), job, None).schedule.keep == keep


def test_resampled_images_and_what_is_labelled_in_them(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Boxes of 16 x 25 seen at 2 are 40 pixels wide, in images of 240 x 240, more than half of a crop of 64."""
    job = job_of(settings(data, "boxes.csv", "data.scale=2"))
    assert (job.card.image_scale, job.card.gsd, job.card.patch_size) == (2.0, None, 40)
    assert job.card.grid is not None and job.card.grid.object_size == 40
    assert job.split is not None and job.source is not None
    (scene,) = job.split.train
    assert scene.scene.shape == (240, 240) and scene.objects.xy.tolist() == [[40, 60], [140, 120], [180, 180]]
    assert job.source.read(scene.scene, scene.scene.window).shape == (3, 240, 240)
    assert material.samples.sizes is not None and material.samples.sizes.median == 40
    assert material.samples.notes[-1].startswith("objects are 40 pixels wide: median of 3")
    assert material.samples.notes[-1].endswith("(as resampled by data.scale=2)")
    (warning,) = material.samples.warnings
    assert "over half of data.sampling.crop=64" in warning and "set data.sampling.crop=80, or data.scale=1" in warning
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [warning]


def test_the_patch_follows_the_size_that_is_seen(data: Path) -> None:
    """Boxes 20 pixels wide seen at 2.4 are 48; points take 64 whatever the scale, and both say what does not suit."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        boxes, points = (
            job_of(compose("train", [f"data.root={data}", f"data.annotations={data / table}", "data.scale=2.4"]))
            for table in ("boxes.csv", "points.csv")
        )
    assert (boxes.card.patch_size, boxes.task.warnings) == (48, ())
    assert points.card.patch_size == 64 and "the next point is" in points.task.notes[-1]
    assert points.task.sizes is not None and not points.task.sizes.boxes


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.scale=0", r"data\.scale must be in \[1/32, 32\], got 0"),
        ("data.scale=half", "half"),
        ("data.scale=null", r"data\.scale must be a number, got None"),
        ("data.gsd=0.5", r"0\.png: the image has no georeference"),
    ],
)
def test_resolutions_that_cannot_be(data: Path, override: str, message: str) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        job_of(settings(data, "boxes.csv", override))
