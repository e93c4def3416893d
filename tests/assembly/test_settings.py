"""The gate: settings of the wrong kind, out of bounds or unknown are named; defaults stand in conf alone."""

import inspect
import re
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from detect.assembly.command import conf_folder
from detect.assembly.fields.byte_sizes import byte_size
from detect.assembly.gate import checked_data, inference_defaults
from detect.assembly.heads.grid import GridNet
from detect.assembly.heads.patch import PatchNet
from detect.assembly.heads.whole import WholeNet
from detect.assembly.settings.command_settings import SETTINGS
from detect.assembly.settings.inference_settings import InferenceSettings
from detect.assembly.training.trainer import NOT_LIGHTNINGS
from tests.commands import call
from tests.typed import settings_of

EXPERIMENTS = sorted(path.stem for path in (conf_folder() / "experiment").glob("*.yaml"))
GIVEN = {
    "train": ["data.root=x"],
    "preview": ["data.root=x"],
    "find_lr": ["data.root=x", "output=o"],
    "predict": ["model=m", "images=i", "output=o"],
    "evaluate": ["predictions=p", "annotations=a", "output=o"],
    "report": ["predictions=p"],
    "folds": ["runs=r"],
    "convert": ["source=s"],
    "explain": ["model=m", "image=i", "output=o"],
    "export": ["model=m", "format=onnx", "output=o.onnx"],
    "survey": ["predictions=p"],
    "review": ["predictions=p"],
}
"""What each command must be given."""


def composed(command: str, *overrides: str) -> Any:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return OmegaConf.to_container(compose(command, [*GIVEN[command], *overrides]), resolve=True)


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_configuration_fills_its_settings_without_a_key_left_over(name: str) -> None:
    made = settings_of(name, *GIVEN[name])
    assert type(made) is SETTINGS[name]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_passes_the_gate(name: str) -> None:
    made = settings_of("train", "data.root=x", f"experiment={name}")
    assert isinstance(made.net, GridNet | PatchNet | WholeNet)


def dataclasses_below(kind: Any, found: set[type]) -> set[type]:
    """The dataclasses that a type is made of."""
    for part in getattr(kind, "__args__", ()) or ():
        dataclasses_below(part, found)
    if is_dataclass(kind) and isinstance(kind, type) and kind not in found:
        found.add(kind)
        for field in fields(kind):
            if isinstance(field.type, str):
                continue
            dataclasses_below(field.type, found)
    return found


def test_no_setting_has_a_second_default() -> None:
    """A default stands in conf and nowhere else."""
    found: set[type] = set()
    for kind in SETTINGS.values():
        dataclasses_below(kind, found)
    assert len(found) > 20
    second = [
        f"{kind.__name__}.{field.name}"
        for kind in found
        for field in fields(kind)
        if field.default is not MISSING or field.default_factory is not MISSING
    ]
    assert second == []


def wrong(command: str, *overrides: str) -> tuple[str, str, str]:
    """The setting that an error names, what it must be, and its value."""
    with pytest.raises(ValueError) as error:
        settings_of(command, *overrides)
    name, must, value = re.fullmatch(r"(\S+) must be (.*), got (.*)", str(error.value)).groups()  # type: ignore[union-attr]
    return name, must, value


@pytest.mark.parametrize(
    ("override", "must", "value"),
    [
        ("seed=x", "a whole number", "x"),
        ("seed=1.5", "a whole number", "1.5"),
        ("seed=null", "a whole number", "null"),
        ("seed=true", "a whole number", "true"),
        ("seed=-1", "[0, 4294967295]", "-1"),
        ("data.matching.radius=x", "a number", "x"),
        ("data.matching.radius=0", "positive", "0.0"),
        ("data.matching.radius=inf", "positive", "inf"),
        ("data.matching.iou=x", "a number", "x"),
        ("data.matching.iou=3", "(0, 1]", "3.0"),
        ("data.mining.at=0.4", "a list", "0.4"),
        ("data.mining.at=[a]", "a list of numbers", "['a']"),
        ("data.mining.at=[1]", "(0, 1)", "1.0"),
        ("data.mining.score=0", "(0, 1)", "0.0"),
        ("data.bands=1", "a list", "1"),
        ("data.bands=[a,1]", "a list of numbers, such as [4,3,2], or of names", "['a', 1]"),
        ("data.bands=[0]", "1 or more", "0"),
        ("data.scale=0", "[1/32, 32]", "0.0"),
        ("data.scale=[2]", "a number", "[2]"),
        ("data.split.val=a.jpg", "a list", "a.jpg"),
        ("data.split.val_fraction=1", "(0, 1)", "1.0"),
        ("data.split.copies=no", "error, warn", "no"),
        ("data.labels.ignored_regions=[1]", "a file or a folder", "1"),
        ("data.labels.names=[a]", "new names by old ones", "['a']"),
        ("data.labels.names={a: null}", "new names by old ones", "none for a"),
        ("data.sampling.reach=x", "a number, or auto", "x"),
        ("data.sampling.empty_fraction=1.7", "[0, 1)", "1.7"),
        ("data.sampling.samples=0", "1 or more", "0"),
        ("data.loading.cache=much", "size", "'much'"),
        ("data.loading.batch_size=1", "2 or more", "1"),
        ("net.patch_size=48.5", "whole pixels, or auto", "48.5"),
        ("net.dropout=2", "[0, 1)", "2.0"),
        ("net.kind=density", "patch, grid", "density"),
        ("runtime.precision=bf17", "auto, 32, bf16, 16", "bf17"),
        ("trainer.test=1", "true or false", "1"),
        ("trainer.max_epochs=0", "1 or more", "0"),
        ("trainer.max_steps=0", "1 or more, or -1", "0"),
        ("trainer.patience=-1", "1 or more", "-1"),
        ("trainer.devices=two", "auto", "two"),
        ("trainer.devices=0", "auto", "0"),
        ("trainer.limit_val_batches=0", "(0, 1]", "0"),
        ("trainer.logger=comet", "csv, tensorboard", "comet"),
        ("augment.superimpose=3", "a group", "3"),
        ("augment.superimpose.number=[1,2,3]", "a list of two", "[1, 2, 3]"),
        ("augment.superimpose.feather=3", "(0, 2]", "3.0"),
        ("augment.superimpose.rare=2", "[0, 1]", "2.0"),
        ("finetune.interpolate=0", "(0, 1]", "0.0"),
        ("augment.cutmix.p=2", "[0, 1]", "2.0"),
        ("finetune.lr=-1", "positive", "-1.0"),
        ("finetune.top=0", "1 or more", "0"),
    ],
)
def test_what_is_wrong_is_named_with_its_bound_and_its_value(override: str, must: str, value: str) -> None:
    name, said, got = wrong("train", "data.root=x", "net=patch", override)
    assert (name, got) == (override.partition("=")[0], value) and must in said


@pytest.mark.parametrize(
    ("override", "must", "value"),
    [
        ("tile=x", "whole pixels, or auto", "x"),
        ("halo=wide", "auto, exact", "wide"),
        ("halo=-16", "auto, exact", "-16"),
        ("threshold=2", "[0, 1], one a class, survey or null", "2"),
        ("threshold=best", "[0, 1], one a class, survey or null", "best"),
        ("tta=d8", "none, flips, d4", "d8"),
        ("adapt=dark", "none, light, batchnorm or a list", "dark"),
        ("adapt=[light,none]", "none, light, batchnorm or a list", "['light', 'none']"),
        ("tta_scales=[]", "one factor or more, none of them 1", "()"),
        ("tta_scales=[0.5,1]", "one factor or more, none of them 1", "(0.5, 1.0)"),
        ("rescale=wide", "none, auto, survey or a number in [1/32, 32]", "wide"),
        ("rescale=0", "none, auto, survey or a number in [1/32, 32]", "0"),
        ("adapt_share=0", "(0, 1]", "0.0"),
        ("max_memory=-1GiB", "size", "'-1GiB'"),
        ("runtime.runtime=caffe", "auto, torch, openvino", "caffe"),
    ],
)
def test_what_is_wrong_with_a_prediction_is_named(override: str, must: str, value: str) -> None:
    name, said, got = wrong("predict", *GIVEN["predict"], override)
    assert (name, got) == (override.partition("=")[0], value) and must in said


@pytest.mark.parametrize(
    ("override", "must", "value"),
    [
        ("launcher.address=here", "auto, HOST:PORT or null", "here"),
        ("launcher.address=ray://head:10001", "auto, HOST:PORT or null", "ray://head:10001"),
        ("launcher.workers=0", "1 or more, or auto", "0"),
        ("launcher.devices_per_task=0", "1 or more", "0"),
        ("launcher.silent_minutes=0", "positive", "0.0"),
        ("launcher.price_per_hour=0", "positive", "0.0"),
    ],
)
def test_what_is_wrong_with_a_cluster_is_named(override: str, must: str, value: str) -> None:
    name, said, got = wrong("predict", *GIVEN["predict"], "launcher=ray", override)
    assert (name, got) == (override.partition("=")[0], value) and must in said


def test_devices_of_one_machine_do_not_go_with_a_cluster() -> None:
    settings_of("predict", *GIVEN["predict"], "launcher=ray", "launcher.address=localhost:6379")
    with pytest.raises(ValueError, match=r"runtime\.devices=2 are of one machine"):
        settings_of("predict", *GIVEN["predict"], "launcher=ray", "runtime.devices=2")


@pytest.mark.parametrize(
    ("override", "must", "value"),
    [("radius=-3", "positive", "-3.0"), ("iou=2", "(0, 1]", "2.0"), ("batch_size=0", "1 or more", "0")],
)
def test_what_is_wrong_with_an_evaluation_is_named(override: str, must: str, value: str) -> None:
    name, said, got = wrong("evaluate", *GIVEN["evaluate"], override)
    assert (name, got) == (override.partition("=")[0], value) and must in said


def test_a_crop_that_does_not_go_with_the_head_is_named() -> None:
    with pytest.raises(ValueError, match=r"data\.sampling\.crop .* net\.deepest=32, .* got 100"):
        settings_of("train", "data.root=x", "net=grid", "data.sampling.crop=100")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("data.match_radius", "data.matching.radius"),
        ("data.radius", "data.matching.radius"),
        ("net.objectsize", "net.object_size"),
        ("trainer.epochs", "trainer.max_epochs"),
    ],
)
def test_an_unknown_name_in_a_file_is_answered_with_the_one_that_is_meant(given: str, meant: str) -> None:
    with pytest.raises(ValueError) as error:
        settings_of("train", "data.root=x", f"+{given}=1")
    assert str(error.value).startswith(given) and meant in str(error.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ValueError) as error:
        settings_of("train", "data.root=x", "seed=x", "trainer.patience=y")
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("data.matching.radius=12", ("data", "matching", "radius"), 12),
        ("data.matching.radius=auto", ("data", "matching", "radius"), None),
        ("data.matching.iou=0.5", ("data", "matching", "iou"), 0.5),
        ("data.scale=2", ("data", "scale"), 2),
        ("data.mining.at=[]", ("data", "mining", "at"), ()),
        ("data.split.val=[2,a.jpg]", ("data", "split", "val"), ("2", "a.jpg")),
        ("data.bands=[1,2]", ("data", "bands"), (1, 2)),
        ("data.bands=[nir,red]", ("data", "bands"), ("nir", "red")),
        ("data.sampling.reach=4", ("data", "sampling", "reach"), 4),
        ("data.sampling.reach=auto", ("data", "sampling", "reach"), None),
        ("data.loading.cache=1.5kib", ("data", "loading", "cache"), 1536),
        ("trainer.gradient_clip_val=null", ("trainer", "gradient_clip_val"), None),
        ("trainer.devices=auto", ("trainer", "devices"), "auto"),
        ("trainer.precision=32", ("trainer", "precision"), "32"),
        ("augment.transforms.Affine.rotate=30", ("augment", "transforms", "Affine", "rotate"), 30),
        ("output=7", ("output",), Path("7")),
    ],
)
def test_what_is_of_its_kind_arrives(override: str, path: tuple[str, ...], value: Any) -> None:
    made = settings_of("train", "data.root=x", override)
    for name in path:
        made = made[name] if isinstance(made, dict) else getattr(made, name)
    assert made == value


def test_rectangles_may_stand_in_the_settings_themselves() -> None:
    assert settings_of("train", "data.root=x", "data.labels.names={red: 1}").data.labels.names == {"red": "1"}
    given = settings_of("train", "data.root=x", "data.labels.ignored_regions={a.jpg: [[0, 0, 1, 1]]}")
    assert given.data.labels.ignored_regions == {"a.jpg": [[0, 0, 1, 1]]}


def test_the_configuration_is_kept_as_it_was_given() -> None:
    made = settings_of("train", "data.root=x", "net.object_size=auto")
    assert made.config["net"]["object_size"] == "auto" and made.config == composed(
        "train", "output=" + str(made.output)
    )


def test_lightnings_settings_are_lightnings_by_name() -> None:
    """All that its Trainer takes, but for what this program sets itself."""
    ours = set(composed("train")["trainer"]) - {*NOT_LIGHTNINGS} | {
        "accelerator",
        "precision",
        "use_distributed_sampler",
    }
    theirs = set(inspect.signature(pl.Trainer.__init__).parameters)
    assert ours <= theirs
    set_here = {
        "self",
        "logger",
        "callbacks",
        "default_root_dir",
        "reload_dataloaders_every_n_epochs",
        "num_sanity_val_steps",
        "enable_checkpointing",
        "enable_progress_bar",
        "enable_model_summary",
        "log_every_n_steps",
        "model_registry",
        "max_time",
    }
    of_no_use = {
        "fast_dev_run",
        "limit_test_batches",
        "limit_predict_batches",
        "overfit_batches",
        "val_check_interval",
        "check_val_every_n_epoch",
        "inference_mode",
        "barebones",
        "plugins",
        "enable_autolog_hparams",
    }
    assert theirs - ours == set_here | of_no_use


def test_the_python_face_and_predict_share_their_defaults() -> None:
    predict = settings_of("predict", *GIVEN["predict"])
    face = checked_data(inference_defaults(), InferenceSettings)
    assert all(getattr(face, field.name) == getattr(predict, field.name) for field in fields(InferenceSettings))


@pytest.mark.parametrize(
    ("text", "size"), [("2GiB", 2 << 30), ("500 MiB", 500 << 20), ("1.5kib", 1536), (4096, 4096), ("64B", 64)]
)
def test_sizes(text: str | int, size: int) -> None:
    assert byte_size(text) == size and byte_size(text).text == str(text)


@pytest.mark.parametrize("text", ["much", "-1GiB", "0", "GiB", "nan", "1XiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text):
        byte_size(text)


@pytest.mark.parametrize(
    ("experiment", "given"),
    [
        ("sealions", "net.patch_size=auto"),
        ("neon_patch", "net.stages=null"),
        ("neon_patch", "data.sampling.exclusion=auto"),
        ("neon", "data.matching.iou=null"),
        ("sealions_grid", "data.labels.ignored_regions=null"),
        ("sealions_grid", "data.labels.ignored_regions=regions.csv"),
    ],
)
def test_what_an_experiment_set_can_be_set_back(experiment: str, given: str, tmp_path: Path) -> None:
    """The whole command runs as far as to the folder that is not there."""
    done = call("train", f"experiment={experiment}", f"data.root={tmp_path / 'none'}", given, f"output={tmp_path}")
    assert done.code == 2 and "none: no such folder of images" in done.log
