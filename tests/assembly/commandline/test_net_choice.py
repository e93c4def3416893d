"""`net=auto`: the grid head for labelled images, the classifier for a folder of patches, unless a network is named."""

from pathlib import Path

import pytest
import yaml

from detect.assembly.command import conf_folder
from detect.assembly.commandline.net_choice import with_net
from tests.commands import call
from tests.typed import settings_of

IMAGES = ("data.root=x", "data.annotations=x/points.csv")
PATCHES = ("data.root=x",)


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A person's experiments: one says what is labelled, one does not, and neither names a network."""
    (tmp_path / "experiment").mkdir()
    begin = "# @package _global_\n"
    (tmp_path / "experiment/labelled.yaml").write_text(f"{begin}data: {{annotations: a.csv}}\n")
    (tmp_path / "experiment/longer.yaml").write_text(f"{begin}trainer: {{max_epochs: 3}}\n")
    return f"--config-dir={tmp_path}"


def chosen(*arguments: str) -> list[str]:
    return with_net("train", arguments, conf_folder())


@pytest.mark.parametrize(
    "given",
    [
        IMAGES,
        (*IMAGES, "net=auto"),
        (*IMAGES, "net.slots=2"),
        (*PATCHES, "net=grid"),
        (*PATCHES, "net=patch"),
        (*PATCHES, "experiment=neon"),
        (*PATCHES, "experiment=sealion_patches"),
        (*PATCHES, "data.annotations=${data.root}/points.csv"),
        (*PATCHES, "experiment=none"),
        (*PATCHES, "--config-dir=none"),
        ("data.annotations=null",),
        ("--help",),
        (),
    ],
    ids=" ".join,
)
def test_a_line_stays_as_it_is_with_labelled_images_with_a_named_net_and_where_nothing_is_known(
    given: tuple[str, ...],
) -> None:
    assert chosen(*given) == [*given]


@pytest.mark.parametrize(
    "more", [(), ("data.annotations=null",), ("net.patch_size=32",), ("augment=heavy", "seed=1,2", "-m")]
)
def test_a_folder_of_patches_takes_the_classifier(more: tuple[str, ...]) -> None:
    assert chosen(*PATCHES, *more) == ["net=patch", *PATCHES, *more]


def test_auto_that_is_named_is_replaced_alone_or_among_others() -> None:
    assert chosen(*PATCHES, "experiment=neon", "net=auto") == [*PATCHES, "experiment=neon", "net=patch"]
    assert chosen(*PATCHES, "-m", "net=auto,grid") == [*PATCHES, "-m", "net=patch,grid"]


@pytest.mark.parametrize("given", ["net='auto'", 'net="auto"', "net= auto", "net=choice(auto)"])
def test_auto_is_known_in_every_spelling_that_hydra_reads(given: str) -> None:
    assert chosen(*PATCHES, given) == [*PATCHES, "net=patch"]


@pytest.mark.parametrize("given", ["net='auto',grid", "net=choice(auto,grid)", "net=shuffle('auto',grid)"])
def test_so_it_is_among_others(given: str) -> None:
    line = chosen(*PATCHES, "-m", given)
    assert line[:2] == [*PATCHES, "-m"] and line[2] in ("net=patch,grid", "net=grid,patch")


def test_what_an_experiment_says_counts(own: str) -> None:
    """Also of several: a network is named for all of them only where that changes none that names its own."""
    assert chosen(*PATCHES, own, "experiment=labelled") == [*PATCHES, own, "experiment=labelled"]
    assert chosen(*PATCHES, own, "experiment=longer") == ["net=patch", *PATCHES, own, "experiment=longer"]
    several = [*PATCHES, own, "-m", "experiment=longer,sealion_patches"]
    assert chosen(*several) == ["net=patch", *several]
    several = [*PATCHES, own, "-m", "experiment=longer,neon"]
    assert chosen(*several) == several


def test_auto_has_the_settings_of_the_grid_head() -> None:
    auto, grid = (settings_of("train", *IMAGES, f"net={name}") for name in ("auto", "grid"))
    unnamed = settings_of("train", *IMAGES)
    assert auto.config["net"]["kind"] == "grid"
    assert all({**each.config, "output": ""} == {**grid.config, "output": ""} for each in (auto, unnamed))


@pytest.mark.parametrize(
    ("command", "given", "kind"),
    [
        ("train", IMAGES, "grid"),
        ("train", PATCHES, "patch"),
        ("preview", PATCHES, "patch"),
        ("find_lr", PATCHES, "patch"),
    ],
)
def test_what_hydra_shows_is_what_runs(
    command: str, given: tuple[str, ...], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(command, *given, "output=o.jpg", "--cfg", "job").code == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["net"]["kind"] == kind and shown["data"]["loading"]["batch_size"] == {"grid": 4, "patch": 16}[kind]


def test_the_log_says_what_was_taken_and_how_to_take_the_other(tmp_path: Path) -> None:
    """And what a folder without either kind of labels lacks."""
    root, output = f"data.root={tmp_path / 'images'}", f"output={tmp_path / 'run'}"
    (tmp_path / "images").mkdir()
    done = call("train", root, f"data.annotations={tmp_path / 'a.csv'}", output)
    assert done.code == 2 and "net=auto is net=grid here, for labelled images; net=patch trains" in done.log
    done = call("train", root, output)
    assert done.code == 2 and "net=auto is net=patch here: without data.annotations, data.root is a folder" in done.log
    assert "images need data.annotations=FILE" in done.log
    done = call("train", root, output, "net=patch")
    assert done.code == 2 and "net=auto" not in done.log


def test_a_setting_of_the_network_that_was_not_taken_names_it(own: str) -> None:
    done = call("train", *IMAGES, "net.stages=4")
    assert done.code == 2 and "net.stages is a setting of another network: give it with net=patch" in done.log
    done = call("train", *PATCHES, "net.loss.gamma=1")
    assert done.code == 2 and "net.loss.gamma is a setting of another network: give it with net=grid" in done.log
    (Path(own.partition("=")[2]) / "experiment/old.yaml").write_text("# @package _global_\nnet: {patch_size: 48}\n")
    done = call("train", *IMAGES, own, "experiment=old")
    assert done.code == 2 and "net.patch_size is a setting of another network: give it with net=patch" in done.log
