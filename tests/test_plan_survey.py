"""The plan of a survey is arithmetic on what was measured."""

import json
from pathlib import Path

import pytest

from tools import plan_survey
from tools.plan_survey import Basis, estimate, measured

BASIS = Basis(
    megapixels_per_second=2.5,
    megapixels=20.0,
    machines=4,
    overhead=0.2,
    memory_gib=3.0,
    result_bytes=400_000.0,
    photograph_bytes=8e6,
    price_per_hour=0.5,
    by_second=False,
)


def test_time_is_pixels_over_the_rate_and_machines() -> None:
    """9,000 x 20 megapixels / (2.5 x 0.8 megapixels a second) are 90,000 s: of 4 machines 22,500 s, 6.25 h each.

    Seven started hours of four machines at 0.5 are 14; memory 4 x 3 GiB; results 9,000 x 0.4 MB; 9,000 x 8 MB.
    """
    found = estimate(9_000, BASIS)
    assert (found.megapixels, found.hours) == (180_000, 6.25)
    assert (found.memory_gib, found.cost) == (12, 14)
    assert found.results_gb == pytest.approx(3.6) and found.photographs_tb == pytest.approx(0.072)


def test_a_machine_counts_whole_photographs() -> None:
    """Of five photographs one of four machines has two, 20 s; of three, one machine has nothing and costs nothing."""
    assert estimate(5, BASIS).hours == pytest.approx(20 / 3600)
    few = estimate(3, BASIS)
    assert few.hours == pytest.approx(10 / 3600) and (few.memory_gib, few.cost) == (9, 1.5)


def run_folder(tmp_path: Path) -> Path:
    """A run of two images of 3 megapixels, of 1,000 bytes each, whose record and results are 5,000 bytes."""
    for name in "ab":
        (tmp_path / f"{name}.jpg").write_bytes(b"x" * 1000)
    folder = tmp_path / "run"
    folder.mkdir()
    facts = {
        "images": {"done": 2, "failed": 1},
        "pixels": 6_000_000,
        "megapixels_per_second": 1.5,
        "peak_memory_mib": 1536,
        "sources": {name: str(tmp_path / f"{name}.jpg") for name in "ab"},
    }
    text = json.dumps(facts)
    (folder / "run.json").write_text(text)
    (folder / "heatmaps").mkdir()
    (folder / "heatmaps" / "a.tif").write_bytes(b"x" * (5000 - len(text)))
    return folder


def test_a_run_tells_rate_memory_and_storage(tmp_path: Path) -> None:
    assert measured(run_folder(tmp_path)) == {
        "megapixels_per_second": 1.5,
        "megapixels": 3.0,
        "memory_gib": 1.5,
        "result_bytes": 2500.0,
        "photograph_bytes": 1000.0,
    }


def test_the_table_has_a_million_and_says_what_it_takes_for_granted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1,000,000 x 3 megapixels / 1.5 / 3,600 are 555.56 h of one machine without loss; by the second at 2 an hour."""
    given = ["--run", str(run_folder(tmp_path)), "--overhead", "0", "--price-per-hour", "2", "--by-second"]
    assert plan_survey.main(given) == 0
    output = capsys.readouterr().out
    assert "| 1,000,000 | 3,000,000 | 555.56 | 23.15 | 1.50 | 2.50 | 0.00 | 1,111.11 |" in output
    assert "always busy" in output and "results take 2 kB a photograph" in output and "nobody's time is in it" in output


def test_photographs_of_another_size_take_as_much_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """3000 x 2000 pixels are twice the run's: twice the seconds, and twice the bytes."""
    assert plan_survey.main(["--run", str(run_folder(tmp_path)), "--size", "3000x2000", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["basis"]["megapixels"], told["basis"]["result_bytes"]) == (6.0, 5000.0)
    assert [row["photographs"] for row in told["rows"]] == [1_000, 10_000, 100_000, 1_000_000]
    assert told["rows"][0]["hours"] == pytest.approx(1000 * 6 / (1.5 * 0.9) / 3600)
    assert told["rows"][0]["cost"] is None and told["assumptions"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--size", "10x10"], "give --run FOLDER, or --megapixels-per-second and --size"),
        (["--megapixels-per-second", "0", "--size", "10x10"], "megapixels_per_second must be above 0"),
        (["--megapixels-per-second", "1", "--size", "10"], "a size is WIDTHxHEIGHT"),
        (["--megapixels-per-second", "1", "--size", "10x10", "--overhead", "1"], "overhead is a share"),
        (["--run", "nowhere"], "not the record of a finished run"),
    ],
)
def test_wrong_use_is_told(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        plan_survey.main(given)
    assert stop.value.code == 2 and said in capsys.readouterr().err
