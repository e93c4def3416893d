"""Paths and words reach the settings as the shell gave them, whatever is in them."""

import os
import string
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from detect.assembly.command import conf_folder
from detect.assembly.commandline.quoting import TextKind, in_hydras_grammar, quoted, text_settings
from detect.assembly.settings.command_settings import SETTINGS
from tests.commands import call
from tests.typed import settings_of

NAMES = (
    *(
        "Möwen",
        "鸟类",
        "photos (2024)",
        "A & B",
        "it's",
        "x=1",
        "p[1]",
        "a,b",
        "a:b",
        "$x",
        "{a}",
        "back\\slash",
        "a#b",
    ),
    *("both ' and \"", "'", '"', "end ", " begin", "new\nline", "tab\t", "\\", "\\'", "'\\", "a\\\\'b", "🐦", "%41"),
    *("007", "1e3", "true", "1_000", "inf", "null.tif", "range(3)", "${", "${a", "}${", "glob(*)", "*.jpg", "+x", "~"),
)
PATHS = (
    ("predict", ("images", "model", "output")),
    ("train", ("data.root", "data.annotations", "output")),
    ("evaluate", ("predictions", "annotations", "output")),
    ("report", ("predictions", "scores")),
    ("folds", ("runs", "output")),
)


def composed(command: str, *arguments: str) -> dict:
    """The plain settings of a command line."""
    line = in_hydras_grammar(SETTINGS[command], arguments)
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        made = compose(command, [each for each in line if not each.startswith("-")])
    return (
        OmegaConf.to_container(made, resolve=False)
        if "???" in str(made)
        else OmegaConf.to_container(made, resolve=True)
    )


def test_a_list_of_paths_is_the_text_of_each() -> None:
    made = composed("train", "data.root=[Möwen,it's b]", "data.annotations=[a.csv, 'b, c.csv']")
    assert (made["data"]["root"], made["data"]["annotations"]) == (["Möwen", "it's b"], ["a.csv", "b, c.csv"])


def value_of(made: dict, name: str) -> object:
    for part in name.split("."):
        made = made[part]
    return made


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_the_text_that_the_shell_gave(name: str) -> None:
    for command, keys in PATHS:
        more = ["images=i", "model=m"] if command == "predict" else []
        made = composed(command, *more, *(f"{key}={name}" for key in keys))
        assert [value_of(made, key) for key in keys] == [name] * len(keys)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12))
@example(text="a\\${b}\\")
@example(text="'\\\"${")
def test_any_text_in_quotes_comes_back_through_hydra_and_omegaconf_twice(text: str) -> None:
    """Twice, as a run of `-m` parses what the sweep wrote."""
    once = OverridesParser.create().parse_override(f"x={quoted(text)}")
    again = OverridesParser.create().parse_override(f"x={once.get_value_element_as_str()}")
    for each in (once, again):
        cfg = OmegaConf.create({"x": None})
        OmegaConf.update(cfg, "x", each.value())
        assert OmegaConf.to_container(cfg, resolve=True)["x"] == (text if text != "???" else "./???")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(string.printable + "äö鸟$", min_size=1, max_size=8), many=st.booleans())
def test_a_folder_of_any_name_is_that_folder(text: str, many: bool) -> None:
    """Also one that looks like quotes, a reference or a list of values; but `null` is no folder."""
    text = text.replace("/", "_")
    if text in (".", "..") or text.lower() == "null":
        return
    Path(text).mkdir(exist_ok=True)
    (line,) = in_hydras_grammar(SETTINGS["predict"], [f"images={text}", *(["-m"] if many else [])])[:1]
    read = OverridesParser.create().parse_override(line)
    assert not read.is_sweep_override()
    cfg = OmegaConf.create({"images": read.value()})
    assert OmegaConf.to_container(cfg, resolve=True)["images"] in (text, f"./{text}")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("null", None),
        ("'a b'", "a b"),
        ('"it\'s"', "it's"),
        ("${model}/x", "m/x"),
        ("Möwen ${model}", "Möwen m"),
        (r"\${model}", "${model}"),
    ],
)
def test_what_hydra_read_before_means_what_it_meant(given: str, meant: str | None) -> None:
    assert composed("predict", "model=m", f"images={given}", "output=o")["images"] == meant


@pytest.mark.parametrize("name", ["'a b'", "${model}", "a\\,b", "???"])
def test_unless_there_is_a_file_of_the_very_text(name: str) -> None:
    Path(name).touch()
    made = composed("predict", "model=m", f"images={name}", "output=o")["images"]
    assert Path(made).samefile(name)


def test_a_name_with_hydras_backslashes_is_the_file_that_there_is() -> None:
    Path("a,b").touch()
    assert composed("predict", "model=m", "images=a\\,b", "output=o")["images"] == "a,b"


def test_runs_over_several_values_go_on_and_over_folders_of_any_name() -> None:
    line = in_hydras_grammar(SETTINGS["train"], ["data.split.fold=1/2,2/2", "seed=0,1", "data.root=a,b", "-m"])
    assert line == ["data.split.fold=1/2,2/2", "seed=0,1", "data.root=a,b", "-m"]
    for name in ("Möwen", "A & B", "a,b"):
        Path(name).mkdir()
    assert (
        in_hydras_grammar(SETTINGS["train"], ["data.root=Möwen,A & B", "--multirun"])[0] == "data.root='Möwen','A & B'"
    )
    assert in_hydras_grammar(SETTINGS["train"], ["data.root=a,b", "-m"])[0] == "data.root='a,b'"
    assert in_hydras_grammar(SETTINGS["train"], ["data.root=x,y"])[0] == "data.root='x,y'"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("[a.jpg,b c.jpg]", ("a.jpg", "b c.jpg")),
        ("[Möwe, IMG (1).jpg ]", ("Möwe", "IMG (1).jpg")),
        ("['a,b',\"c\"]", ("a,b", "c")),
        ("[007,1e3]", ("007", "1e3")),
        ("[]", ()),
    ],
)
def test_names_in_a_list_are_texts(given: str, meant: tuple[str, ...]) -> None:
    line = in_hydras_grammar(
        SETTINGS["train"], [f"data.split.val={given}", f"data.labels.negative={given}", "data.root=x"]
    )
    made = settings_of("train", *line)
    assert made.data.split.val == meant and made.data.labels.negative == meant


def test_numbers_choices_and_regions_keep_hydras_grammar() -> None:
    given = [
        "data.bands=[4,3,2]",
        "net=grid",
        "seed=3",
        "data.labels.ignored_regions={20.jpg: [[0, 1, 2, 3]]}",
        "+x=y z",
    ]
    assert in_hydras_grammar(SETTINGS["train"], given) == given
    (line,) = in_hydras_grammar(SETTINGS["train"], ["data.labels.ignored_regions=Möwen (1).csv"])
    assert settings_of("train", "data.root=x", line).data.labels.ignored_regions == Path("Möwen (1).csv")
    (line,) = in_hydras_grammar(SETTINGS["train"], ["data.labels.ignored_regions=[Möwen (1).csv,masks]"])
    assert settings_of("train", "data.root=x", line).data.labels.ignored_regions == [
        Path("Möwen (1).csv"),
        Path("masks"),
    ]


@pytest.mark.parametrize("command", sorted(SETTINGS))
def test_every_path_and_word_of_a_command_is_known(command: str) -> None:
    """By their names: whatever the settings of a file or folder are called, they are in the list."""
    kinds = dict(text_settings(SETTINGS[command]))
    made = composed(command)
    known = {"model", "images", "output", "predictions", "annotations", "scores", "runs"} & made.keys()
    for name in known | {f"data.{name}" for name in {"root", "annotations"} & made.get("data", {}).keys()}:
        several = name.startswith("data.") and command != "explain"  # which looks into one folder
        assert kinds[name] is (TextKind.PATHS if several else TextKind.TEXT)


def test_a_path_that_is_empty_or_no_path_is_named() -> None:
    for value, said in (("", "empty text"), ("null", "must be a path")):
        done = call("predict", "model=m", f"images={value}", "output=o")
        assert done.code == 2 and "images" in done.log and said in done.log


def test_what_cannot_be_read_says_how_to_quote() -> None:
    done = call("train", "data.root=x", "data.bands=[4,3")
    assert done.code == 2 and "data.bands" in done.log and "quotes" in done.log


def test_an_unknown_setting_is_named_whatever_its_value() -> None:
    done = call("predict", "image=Möwen (1)", "model=m", "output=o")
    assert done.code == 2 and "image: no such setting; did you mean images?" in done.log


def test_an_unknown_reference_is_named() -> None:
    done = call("predict", "model=m", "images=${nothing}", "output=o")
    assert done.code == 2 and "images: Interpolation key 'nothing' not found" in done.log and "\\${...}" in done.log


def test_help_shows_paths_with_any_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("predict", "images=Möwen (1)", "--help").code == 0
    assert "images: Möwen (1)" in capsys.readouterr().out


def test_a_tilde_is_the_home_unless_a_file_is_called_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    given = ("model=m", "output=o")

    def images(text: str) -> Path:
        return settings_of("predict", *given, f"images={quoted(text)}").images

    assert images("~/x") == tmp_path / "home/x"
    assert images("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")
    (tmp_path / "~").mkdir()
    assert images("~") == Path("~")


@pytest.mark.skipif(os.sep == "\\", reason="file names are text there")
def test_a_name_that_is_no_text_is_refused_with_the_way_out() -> None:
    name = os.fsdecode(b"M\xf6wen")
    done = call("predict", "model=m", f"images={name}", "output=o")
    assert done.code == 2 and "images" in done.log and "UTF-8" in done.log
