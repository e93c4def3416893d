"""From settings and labels to what a training run learns, for both heads."""

from dataclasses import replace
from pathlib import Path

import pytest

from detect.assembly.heads.choice import head_builder
from detect.assembly.variation import make_augment
from detect.imagery.resolution import Resolution
from detect.learning.grid import GridModule
from detect.learning.patch import ClassifierModule
from detect.nets.heads.grid import GridDetector
from detect.nets.heads.specs import GridHead, PatchHead
from detect.nets.modelfile import build_net
from detect.samples.crops import CropDataset
from detect.samples.targets import PatchEncoder
from tests.assembly.runs_of import grid_settings, material_of, patch_settings
from tests.typed import settings_of


def test_boxes_are_learnt_where_boxes_are_labelled_and_points_where_points_are(data: Path) -> None:
    """By the annotations alone: the typical side of a box of 16 x 25 is sqrt(400) = 20; a point has none."""
    boxes, points = (material_of(grid_settings(data, table)) for table in ("boxes.csv", "points.csv"))
    assert boxes.spec.head == GridHead(16, 16, 1, 20.0, 20) and boxes.spec.head.boxes
    assert points.spec.head == GridHead(16, 16, 1, None, 64) and not points.spec.head.boxes
    for material in (boxes, points):
        assert (material.spec.classes, material.spec.outputs) == (("a", "b"), ("a", "b"))
        assert material.spec.head.finds and material.samples.outputs == {"a": 2, "b": 1}
        assert isinstance(material.samples.val, CropDataset) and material.samples.val.crops[0].window.height == 64
        assert len(material.samples.epoch(0)) == 240
    own = material_of(grid_settings(data, "boxes.csv", "net.object_size=33", "net.slots=2", "net.stride=4"))
    assert own.spec.head == GridHead(16, 16, 2, 33.0, 20) and own.spec.stride == 4


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (("data.sampling.crop=72",), ("data.sampling.crop", "net.deepest=16", "72")),
        (("data.sampling.crop=16",), ("data.sampling.crop", "net.deepest=16", "16")),
        (("net.slots=0",), ("net.slots", "0")),
        (("net.object_size=-3",), ("net.object_size", "-3")),
        (("net.spread=0",), ("net.spread", "0")),
        (("data.sampling.empty_fraction=1",), ("data.sampling.empty_fraction", "[0, 1)", "1")),
        (("data.sampling.balance=2",), ("data.sampling.balance", "[0, 1]", "2")),
    ],
)
def test_settings_of_a_grid_that_cannot_be(data: Path, overrides: tuple[str, ...], named: tuple[str, ...]) -> None:
    with pytest.raises(ValueError) as error:
        material_of(grid_settings(data, "boxes.csv", *overrides))
    assert all(part in str(error.value) for part in named)


def test_bare_patches_go_to_the_patch_classifier(patches: Path) -> None:
    with pytest.raises(ValueError, match=r"net=grid .* net=patch"):
        material_of(settings_of("train", f"data.root={patches}", "net=grid"))


def test_a_module_is_of_its_head_and_rare_classes_weigh_more(data: Path) -> None:
    """2 of a, 1 of b, b = 0.5: effective numbers 1 - 0.25 and 1 - 0.5 over 0.5, so b weighs 1.5 times as much as a.

    Drawn equally often (`data.sampling.balance=1`) both would weigh the same.
    """
    given = ("net.loss.box=3.0", "data.sampling.balance=0", "net.loss.classes.effective=0.5")
    settings = grid_settings(data, "boxes.csv", *given)
    material = material_of(settings)
    net = build_net(material.spec)
    module = head_builder(settings.net).module(settings, net, material, None)
    assert isinstance(net, GridDetector) and isinstance(module, GridModule)
    weights = module.loss.label.weight.numpy()
    assert weights[1] / weights[0] == pytest.approx(1.5)
    assert (weights * [2, 1]).sum() / 3 == pytest.approx(1)
    assert module.loss.weights.box == 3.0
    settings = patch_settings(data, "boxes.csv")
    material = material_of(settings)
    made = head_builder(settings.net).module(settings, build_net(material.spec), material, None)
    assert isinstance(made, ClassifierModule)


@pytest.mark.parametrize(
    ("table", "given", "wanted"), [("boxes.csv", "auto", 0.8), ("points.csv", "auto", 1.5), ("points.csv", "0.6", 0.6)]
)
def test_dots_spare_more_cells_around_them_than_boxes(data: Path, table: str, given: str, wanted: float) -> None:
    """A dot is set by eye; the middle of a box is not."""
    val = material_of(grid_settings(data, table, f"net.spread={given}")).samples.val
    assert isinstance(val, CropDataset) and val.encoder.spread == wanted


@pytest.mark.parametrize(("weights", "keep"), [("none", 0), ("bundled", 4)])
def test_new_weights_all_learn(data: Path, weights: str, keep: int) -> None:
    """`finetune.keep` holds early layers that were trained before; those that were not must learn."""
    given = (f"net.weights={weights}", "net.backbone=tf_efficientnet_lite0", "finetune.keep=4")
    settings = grid_settings(data, "boxes.csv", *given)
    material = material_of(settings)
    module = head_builder(settings.net).module(settings, build_net(material.spec), material, None)
    assert module.schedule.keep == keep


def test_resampled_images_and_what_is_labelled_in_them(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Boxes of 16 x 25 seen at 2 are 40 pixels wide, in images of 240 x 240, more than half of a crop of 64."""
    material = material_of(grid_settings(data, "boxes.csv", "data.scale=2"))
    assert (material.spec.resolution.scale, material.spec.resolution.gsd) == (2.0, None)
    assert material.spec.head == GridHead(16, 16, 1, 40.0, 40)
    assert material.scenes is not None
    (scene,) = material.scenes.split.train
    assert scene.scene.shape == (240, 240) and scene.objects.xy.tolist() == [[40, 60], [140, 120], [180, 180]]
    assert material.scenes.source.read(scene.scene, scene.scene.window).shape == (3, 240, 240)
    samples = material.samples
    assert samples.sizes is not None and samples.sizes.median == 40
    assert "40 pixels" in samples.notes[-1] and "data.scale=2" in samples.notes[-1]
    (warning,) = samples.warnings
    assert all(part in warning for part in ("data.sampling.crop=64", "data.sampling.crop=80", "data.scale=1"))
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [warning]


def test_the_patch_follows_the_size_that_is_seen(data: Path) -> None:
    """Boxes 20 pixels wide seen at 2.4 are 48; points take 64 whatever the scale, and both say what does not suit."""
    boxes, points = (
        material_of(
            settings_of("train", f"data.root={data}", f"data.annotations={data / table}", "net=patch", "data.scale=2.4")
        )
        for table in ("boxes.csv", "points.csv")
    )
    assert boxes.spec.head == PatchHead(48, "background") and boxes.samples.warnings == ()
    assert points.spec.head.typical_size == 64 and "next point" in points.samples.notes[-1]
    assert points.samples.sizes is not None and not points.samples.sizes.boxes


def test_what_is_pasted_for_a_patch_classifier_lies_where_it_learns_and_in_a_patch(data: Path) -> None:
    """Half a patch of 16 and a margin of 24 are 32 pixels of context; points stand for 16 pixels at most."""
    given = ("net.patch_size=16", "net.margin=24", "augment.background.p=1")
    samples = material_of(patch_settings(data, "points.csv", *given)).samples.epoch(0)
    assert isinstance(samples, CropDataset) and samples.paste is not None and isinstance(samples.encoder, PatchEncoder)
    assert samples.paste.context == samples.encoder.context == 32 and samples.paste.size == 16


def test_false_alarms_of_a_patch_classifier_keep_away_from_objects(data: Path) -> None:
    """A patch of 20 pixels is background from 10 on; the radius of a match, 4, is less."""
    material = material_of(patch_settings(data, "boxes.csv", "net.patch_size=32", "data.matching.radius=4"))
    assert material.alarm_distance_file_px == 16
    material = material_of(grid_settings(data, "boxes.csv", "data.matching.radius=4"))
    assert material.alarm_distance_file_px == 4


def test_folds_and_seeds_of_a_data_set_are_judged_alike(data: Path) -> None:
    """The radius is that of all labels, on whatever side: 0.4 of the 36.06 pixels between two dots of the one image."""
    given = ("data.split.val_from=parts", "data.split.guard=8", "data.sampling.crop=32")
    (data / "none.csv").write_text((data / "points.csv").read_text().replace(",train", ",").replace(",val", ","))
    radii = [
        material_of(grid_settings(data, "none.csv", f"data.split.fold={fold}", *given)).radius
        for fold in ("1/2", "2/2")
    ]
    assert radii[0] == radii[1] and radii[0] is not None and radii[0].file_px == 14.4


def test_lengths_in_metres_go_back_to_the_files_pixels(data: Path) -> None:
    """Images enlarged to twice their size by their ground sample distance: 10 pixels seen are 5 of the file."""
    scenes = material_of(patch_settings(data, "points.csv", "data.scale=2")).scenes
    assert scenes is not None and scenes.in_file_px(10) == 5
    assert replace(scenes, resolution=Resolution(gsd=0.5)).in_file_px(10) == 5


def test_a_resolution_in_metres_needs_images_that_know_theirs(data: Path) -> None:
    with pytest.raises(OSError, match=r"0\.png"):
        material_of(grid_settings(data, "boxes.csv", "data.gsd=0.5"))


def test_decoded_photographs_beyond_the_cache_lie_beside_the_output_unless_told_otherwise(data: Path) -> None:
    """Not in the system's folder of temporary files, which may be small, or full."""
    settings = grid_settings(data, "boxes.csv")
    scenes = material_of(settings).scenes
    assert scenes is not None and scenes.source.folder == settings.output
    told = material_of(grid_settings(data, "boxes.csv", f"runtime.scratch={data}")).scenes
    assert told is not None and told.source.folder == data


def test_statistics_are_exchanged_between_the_images_that_train_and_in_no_other(data: Path) -> None:
    """A bare patch is numbered by no image, and one of validation is never varied."""
    given = ("augment=none", "augment.exchange.p=1")
    for settings in (grid_settings, patch_settings):
        made = material_of(settings(data, "boxes.csv", *given))
        drawn, val = made.samples.epoch(0), made.samples.val
        assert isinstance(drawn, CropDataset) and isinstance(val, CropDataset)
        assert made.scenes is not None and drawn.augment is not None and drawn.augment.exchange is not None
        assert len(drawn.augment.exchange.mean) == len(made.scenes.split.train)
        assert val.augment is None
        varied, drawn.augment = drawn[0][0], None
        assert (varied != drawn[0][0]).any()
    bare = patch_settings(data, "boxes.csv", *given)
    assert make_augment(bare.augment, head_builder(bare.net), bare=True) is None
