from pathlib import Path

from detect.reporting.output import layout
from detect.reporting.output.layout import PredictionPaths, overlay_address

PATHS = PredictionPaths(Path("out"))


def test_pictures_are_named_by_the_image_s_whole_name():
    assert PATHS.overlay("a/b.jpg") == Path("out/overlays/a/b.jpg.jpg")
    assert PATHS.heatmap("a/b.jpg") == Path("out/heatmaps/a/b.jpg.tif")
    assert PATHS.thumbnail("a/b.jpg") == Path("out/.run/thumbnails/a/b.jpg.jpg")
    assert overlay_address("a/b.jpg") == "overlays/a/b.jpg.jpg"


def test_the_result_files_are_the_paths_outside_the_state_folder():
    paths = (PATHS.counts, PATHS.detections, PATHS.failures, PATHS.areas, PATHS.run_facts, PATHS.report, PATHS.scores)
    of_counts = (PATHS.survey, PATHS.folder / layout.RANKED)
    assert {path.relative_to("out").as_posix() for path in (*paths, *of_counts)} == set(layout.RESULT_FILES)
    state = {PATHS.journal, PATHS.settings, PATHS.written, PATHS.candidate_records, PATHS.own_facts}
    assert state == {Path("out/.run") / name for name in layout.STATE_FILES}
    assert PATHS.lock == Path("out/.run/lock") and PATHS.lock.name not in layout.STATE_FILES


def test_every_picture_is_inside_one_of_the_picture_folders():
    pictures = PATHS.pictures("a/b.jpg")
    for picture, folder in zip(pictures, PATHS.picture_folders, strict=True):
        assert folder in picture.parents
