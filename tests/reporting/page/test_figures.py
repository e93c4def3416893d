import base64
import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from detect.imagery.description.scene_opening import open_scene
from detect.imagery.maps.map_writing import write_map
from detect.imagery.resampling import Zoom
from detect.reporting.output.layout import PredictionPaths
from detect.reporting.output.predictions import read_predictions
from detect.reporting.page.figures import draw_figures
from detect.reporting.writing import write_picture


def picture(address):
    head, _, body = address.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(BytesIO(base64.b64decode(body)))


def test_all_three_pictures(folder):
    figures = draw_figures(read_predictions(folder), "a/b.jpg")
    assert figures.missing == []
    assert [picture(each).size for each in (figures.thumbnail, figures.heat, figures.overlay)] == [(80, 60)] * 3


def test_large_overlays_are_reduced(folder):
    write_picture(Image.new("RGB", (1800, 600)), PredictionPaths(folder).overlay("c.jpg"))
    assert picture(draw_figures(read_predictions(folder), "c.jpg").overlay).size == (900, 300)


def test_missing_pictures_are_listed(folder):
    PredictionPaths(folder).overlay("a/b.jpg").unlink()
    PredictionPaths(folder).heatmap("a/b.jpg").unlink()
    PredictionPaths(folder).thumbnail("a/b.jpg").unlink()
    figures = draw_figures(read_predictions(folder), "a/b.jpg")
    assert figures.thumbnail is None and figures.heat is None and figures.overlay is None
    assert "overlays/a/b.jpg.jpg is missing" in " ".join(figures.missing)
    assert "heatmaps/a/b.jpg.tif is missing" in " ".join(figures.missing)
    assert ".run/thumbnails/a/b.jpg.jpg is missing" in " ".join(figures.missing)
    assert len(figures.missing) == 3


def test_damaged_pictures_are_listed(folder):
    PredictionPaths(folder).overlay("c.jpg").write_bytes(b"no picture")
    PredictionPaths(folder).heatmap("c.jpg").write_bytes(b"no raster")
    figures = draw_figures(read_predictions(folder), "c.jpg")
    assert figures.thumbnail is not None
    assert len(figures.missing) == 2 and all("could not be read" in sentence for sentence in figures.missing)


def test_the_heatmap_is_drawn_at_its_place_on_the_image(folder):
    content = read_predictions(folder)
    heatmap = np.zeros((1, 8, 10), np.float32)
    heatmap[0, 2, 7] = 1
    write_map(
        PredictionPaths(folder).heatmap("c.jpg"), [heatmap], open_scene(folder.parent / "source1.png"), 8, ["cow"], 4.0
    )
    pixels = np.asarray(picture(draw_figures(content, "c.jpg").heat)).astype(int)
    row, col = np.unravel_index(np.ptp(pixels, axis=2).argmax(), (60, 80))
    # the cell (2, 7) is centred at pixel 4 + 8 * 7 = 60 across and 4 + 8 * 2 = 20 down; it is 8 pixels wide
    assert abs(row - 20) <= 6 and abs(col - 60) <= 6


def test_the_heatmap_of_a_resampled_image_is_drawn_at_its_place_on_the_image(folder):
    """Of 60 x 80 file pixels, resampled to 45 x 30, cell (3, 2) at stride 8 is centred at 20 across and 28 down.

    In file pixels that is 20 * 80 / 30 = 53 across and 28 * 60 / 45 = 37 down; it is 21 pixels wide and 11 high.
    """
    content = read_predictions(folder)
    heatmap = np.zeros((1, 6, 4), np.float32)
    heatmap[0, 3, 2] = 1
    scene = open_scene(folder.parent / "source1.png")
    resampled = replace(scene, shape=(45, 30), zoom=Zoom(scene.window, (45, 30)))
    write_map(PredictionPaths(folder).heatmap("c.jpg"), [heatmap], resampled, 8, ["cow"], 4.0)
    pixels = np.asarray(picture(draw_figures(content, "c.jpg").heat)).astype(int)
    row, col = np.unravel_index(np.ptp(pixels, axis=2).argmax(), (60, 80))
    assert abs(row - 37) <= 5 and abs(col - 53) <= 8


def test_pictures_that_the_run_was_not_asked_for_are_left_out_without_a_word(folder: Path) -> None:
    paths = PredictionPaths(folder)
    paths.overlay("c.jpg").unlink()
    paths.heatmap("c.jpg").unlink()
    for asked, missing in ((["tables", "report"], 0), (["tables", "report", "overlays"], 1)):
        facts = json.loads(paths.run_facts.read_text())
        paths.run_facts.write_text(json.dumps({**facts, "settings": {"write": asked}}))
        figures = draw_figures(read_predictions(folder), "c.jpg")
        assert figures.thumbnail is not None and len(figures.missing) == missing
    assert draw_figures(read_predictions(folder), "a/b.jpg").heat is not None
