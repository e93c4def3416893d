import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.maps.map_writing import write_map
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.page.report_page import write_report
from detect.reporting.tables import UNKNOWN, counts_table, write_table
from tests.reporting.conftest import detections, fill_folder
from tests.reporting.lots.runs import PATTERNS, die_map, whole, write_run

BAD = "<script>alert(1)</script>"


def page_of(folder: Path, scores: Path | None = None) -> Path:
    return write_report(folder, scores, 200)


class Page(HTMLParser):
    """The tags of a page, its text, and the addresses it loads or links to."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.loads, self.links = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for key, value in attrs:
            assert not key.startswith("on"), f"inline handler {key}={value}"
            if key in ("src", "href", "srcset", "data", "poster", "action"):
                (self.links if (tag, key) == ("a", "href") else self.loads).append(value)

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def read(path):
    source = path.read_text(encoding="utf-8")
    return source, Page(source)


def cells(source):
    """The rows of the table of images, as text."""
    body = re.search(r'<table class="data sortable">(.*?)</table>', source, re.S).group(1)
    rows = re.findall(r"<tr>(.*?)</tr>", body, re.S)
    return [
        [re.sub(r"<.*?>", "", cell).strip() for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.S)]
        for row in rows
    ]


def test_the_page_is_in_the_folder_and_counts_add_up(folder):
    path = page_of(folder)
    assert path == folder / "report.html"
    source, page = read(path)
    assert cells(source) == [
        ["Image", "cow", "sheep", "Total", "Overlay"],
        ["a/b.jpg", "3", "1", "4", "open"],
        ["c.jpg", "0", "1", "1", "open"],
        ["All images", "3", "2", "5", ""],
    ]
    assert "5 objects in 2 images" in page.text
    assert "Counted on a Tuesday." in page.text
    assert "settings.runtime torch" in page.text and "model.safetensors" in page.text


def test_law_7_speed_memory_and_date_are_not_on_the_page(folder):
    """They differ from run to run, and the page of a run that was killed and went on must not."""
    run = json.loads((folder / "run.json").read_text())
    first = page_of(folder).read_bytes()
    for speed in (1.25, 2.5):
        facts = {"seconds": speed, "megapixels_per_second": speed, "peak_memory_mib": int(1000 * speed)}
        (folder / "run.json").write_text(json.dumps(run | facts))
        assert page_of(folder).read_bytes() == first


def test_the_page_says_what_computed_the_counts(folder):
    run = json.loads((folder / "run.json").read_text())
    for settings, words in (
        ({"runtime": "openvino", "precision": "bf16", "device": "cpu", "tta": "none"}, "openvino, bf16, cpu"),
        ({"runtime": "torch", "tta": "d4"}, "torch, test-time augmentation d4"),
        ({"runtime": "torch", "adapt": ["light", "batchnorm"]}, "torch, images met by light and batchnorm"),
        ({"runtime": "torch", "rescale": "auto"}, "torch, rescaled by auto"),
        ({"runtime": "torch", "rescale": "survey", "rescale_factor": 0.5}, "torch, rescaled by 0.5"),
    ):
        (folder / "run.json").write_text(json.dumps(run | {"settings": settings}))
        assert f"Computed with {words} " in read(page_of(folder))[1].text


def test_the_page_says_of_how_many_images_and_whether_repeats_are_expected(folder):
    """0.5 and 2.25 objects; without the second image, of one; with overlap, what several images show is in it again."""

    def shown(second: str, run: dict) -> str:
        rows = f"a/b.jpg,3,1,4,0.500\nc.jpg,1,0,1,{second}\n"
        (folder / "counts.csv").write_text(f"image,cow,sheep,total,expected\n{rows}")
        (folder / "run.json").write_text(json.dumps(run))
        (found,) = re.findall(r"Expected by probabilities</dt>\s*<dd[^>]*>([^<]*)", page_of(folder).read_text())
        return found

    assert shown("2.250", {}) == "2.8 objects"
    assert shown("", {}) == "0.5 objects in 1 images"
    assert shown("2.250", {"overlap": {"unique": 4}}) == "2.8 objects, with repeats in several images"


def test_the_page_loads_nothing_from_anywhere(folder, scores):
    source, page = read(page_of(folder, scores))
    assert page.loads and all(address.startswith("data:") for address in page.loads)
    assert "link" not in page.tags and "iframe" not in page.tags
    assert "@import" not in source and "url(" not in source
    assert not re.search(r"https?://", source)


def test_only_the_page_s_own_script_may_run(folder):
    source, page = read(page_of(folder))
    script = re.search(r"<script>(.*?)</script>", source, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert page.tags.count("script") == 1
    assert f"script-src 'sha256-{digest}'" in source and "default-src 'none'" in source


def test_names_from_others_are_shown_and_never_run(tmp_path):
    name, label, quote = f"{BAD}.jpg", f'{BAD}"><img src=x onerror=alert(2)>', "a\"b'#?%&.jpg"
    one = detections([(10, 10, 0, 0.9)], [label])
    folder = fill_folder(tmp_path, {name: one, quote: one}, [label])
    write_table(pd.DataFrame({"image": [BAD], "error": [f"{BAD} & more"]}), folder / "failures.csv")
    run = json.loads((folder / "run.json").read_text()) | {BAD: {BAD: BAD}, "notes": [BAD], "version": BAD}
    (folder / "run.json").write_text(json.dumps(run))
    scores = {"f1": 1.0, "per_class": {label: {BAD: 1}}, "per_image": {name: {"true": 1}}}
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    source, page = read(page_of(folder, tmp_path / "scores.json"))
    assert page.tags.count("script") == 1 and BAD not in source
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in source
    assert all(address.startswith("data:") for address in page.loads)
    assert "overlays/%3Cscript%3Ealert%281%29%3C/script%3E.jpg.jpg" in page.links
    assert "overlays/a%22b%27%23%3F%25%26.jpg.jpg" in page.links
    assert all(link == "" or link.startswith(("overlays/", "#image-")) for link in page.links)


def test_failures_come_first(folder):
    write_table(pd.DataFrame({"image": ["bad.jpg"], "error": ["bad.jpg: damaged"]}), folder / "failures.csv")
    text = read(page_of(folder))[1].text
    assert "1 image could not be counted" in text and "bad.jpg: damaged" in text
    assert text.index("could not be counted") < text.index("Totals") < text.index("Counts by image")


def test_scores_are_explained_and_the_truth_is_beside_the_count(folder, scores):
    source, page = read(page_of(folder, scores))
    assert "within 30 pixels" in page.text and "The rest were missed" in page.text
    assert cells(source)[1] == ["a/b.jpg", "3", "1", "4", "6", "−2", "open"]
    assert cells(source)[2] == ["c.jpg", "0", "1", "1", "1", "0", "open"]


def test_the_page_says_when_boxes_count_as_right(folder, scores):
    """By distance, or by the IoU that was asked for."""
    by_distance = page_of(folder, scores).read_text()
    data = json.loads(scores.read_text()) | {"radius": None, "iou": 0.4}
    scores.write_text(json.dumps(data))
    by_overlap = page_of(folder, scores).read_text()
    assert "within 30 pixels" in by_distance and "intersection over union) with an annotated box" not in by_distance
    assert "with an annotated box is 0.4 or more" in by_overlap and "within 30 pixels" not in by_overlap


def test_scores_of_another_run_are_remarked(folder, scores):
    assert "other counts" not in read(page_of(folder, scores))[1].text
    scores.write_text(scores.read_text().replace('"found": 4', '"found": 9'))
    assert "measured on other counts of a/b.jpg: evaluate" in read(page_of(folder, scores))[1].text


def test_missing_pictures_are_listed_and_the_page_is_written(folder):
    PredictionPaths(folder).overlay("c.jpg").unlink()
    source, page = read(page_of(folder))
    assert cells(source)[2][-1] == "missing"
    assert "There is no overlay: overlays/c.jpg.jpg is missing." in page.text


def test_beyond_the_limit_rows_link_to_files(folder):
    source, page = read(write_report(folder, None, embed_limit=1))
    assert "pictures of the first 1 of its 2 images" in page.text
    assert source.count("<article") == 1 and "#image-1" in page.links and "#image-2" not in page.links
    assert "overlays/c.jpg.jpg" in page.links
    source, page = read(write_report(folder, None, embed_limit=0))
    assert "<article" not in source and "pictures of none of its 2 images" in page.text
    with pytest.raises(ValueError, match=r"embed_limit.*-1"):
        write_report(folder, None, embed_limit=-1)


def test_tables_alone_make_a_page(folder):
    for name in ("run.json", "detections.csv", "failures.csv"):
        (folder / name).unlink()
    text = read(page_of(folder))[1].text
    assert "run.json is missing" in text and "5 objects in 2 images" in text


def test_a_run_without_images_makes_a_page(folder):
    (folder / "counts.csv").write_text("image,cow,sheep,total\n")
    (folder / "detections.csv").write_text("image,x,y,w,h,score,label\n")
    assert "No image was counted." in read(page_of(folder))[1].text


def test_many_images_and_classes(tmp_path):
    names = [f"class {i}" for i in range(9)]
    found = {f"{i:02}.jpg": detections([(10, 10, i % 9, 0.9)], names) for i in range(12)}
    source, page = read(page_of(fill_folder(tmp_path, found, names)))
    assert source.count("<article") == 12 and "more classes than colours" in page.text


def test_without_counts_there_is_no_page(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"counts\.csv"):
        page_of(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_images_of_no_known_class_are_told_where_the_model_tells_that_and_no_map_of_one_cell_is_shown(tmp_path):
    """Three wafers: a ring, nothing known, and a wafer that is sure to have no pattern."""
    files = {name: die_map(tmp_path / "in" / name, [(5, 5)]) for name in ("a.png", "b.png", "c.png")}
    found = {name: whole(pattern, 0.9, (10, 10)) for name, pattern in zip(files, (0, -1, -1), strict=True)}
    folder = write_run(tmp_path / "run", files, found, "whole", (10, 10))
    assert "known class" not in page_of(folder).read_text() and "Unknown" not in page_of(folder).read_text()
    facts = {UNKNOWN: {"a.png": "0", "b.png": "1", "c.png": "0"}}
    write_table(counts_table(found, PATTERNS, facts), PredictionPaths(folder).counts)
    cell = np.full((2, 1, 1), 0.5, np.float32)
    write_map(PredictionPaths(folder).heatmap("a.png"), [cell], open_scene(files["a.png"]), 10, PATTERNS, 5.0)
    text = re.sub(r"\s+", " ", page_of(folder).read_text())
    assert "<h1>1 pattern <span>in 3 images, 1 of no known class</span></h1>" in text
    assert '<th scope="col" class="number">Unknown</th>' in text and text.count("<span>of no known class</span>") == 1
    assert "How likely an object is" not in text
