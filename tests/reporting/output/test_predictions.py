import pytest

from detect.reporting.output.predictions import read_candidates, read_predictions


def test_a_whole_folder_is_read(folder):
    content = read_predictions(folder)
    assert content.classes == ("cow", "sheep")
    assert content.remarks == [] and content.failures == []
    assert sorted(content.scores) == [0.6, 0.7, 0.8, 0.9, 0.95]


def test_missing_counts_are_an_error_that_names_the_file_and_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"counts\.csv.*detect\.predict"):
        read_predictions(tmp_path)


@pytest.mark.parametrize("name", ["run.json", "detections.csv", "failures.csv"])
def test_other_missing_files_are_remarked(folder, name):
    (folder / name).unlink()
    assert [remark for remark in read_predictions(folder).remarks if name in remark]


def test_tables_that_disagree_are_remarked(folder):
    text = (folder / "detections.csv").read_text().replace("sheep", "cow", 1)
    (folder / "detections.csv").write_text(text)
    assert "do not agree on a/b.jpg" in read_predictions(folder).remarks[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("run.json", "{", "JSON"),
        ("run.json", "[]", "list"),
        ("failures.csv", "a,b\n", r"'error'.*\['a', 'b'\]"),
        ("counts.csv", "image,cow,total\n../../x,0,0\n", r"'\.\./\.\./x'"),
        ("counts.csv", "image,cow,sheep,total,expected\na,0,0,0,-1\n", "expected must be a number"),
        ("counts.csv", "image,cow,total\n/etc/x,0,0\n", "'/etc/x'"),
    ],
)
def test_damaged_files_are_named(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_predictions(folder)
    assert name in str(caught.value)


def test_what_earlier_versions_say_of_unlike_images_is_kept(folder):
    """They had the text in the column where the share is now, and no other."""
    (folder / "counts.csv").write_text("image,cow,sheep,total,unlike\na/b.jpg,3,1,4,much darker\nc.jpg,1,0,1,\n")
    (remark,) = (remark for remark in read_predictions(folder).remarks if "unlike" in remark)
    assert remark.startswith("1 images are unlike") and remark.endswith("such as a/b.jpg: light: much darker.")
    (folder / "counts.csv").write_text("image,cow,sheep,total,unlike\na/b.jpg,3,1,4,0.970\nc.jpg,1,0,1,1.000\n")
    assert not any("unlike" in remark for remark in read_predictions(folder).remarks)


def test_candidates_are_read_of_all_images_or_none_and_not_from_elsewhere(folder, tmp_path, caplog):
    header = "image,x,y,w,h,score,label\n"
    (folder / "candidates/a").mkdir(parents=True)
    (folder / "candidates/a/b.jpg.csv").write_text(f"{header}a/b.jpg,1,2,,,0.03,cow\n")
    names, classes = ["a/b.jpg", "c.jpg"], ("cow", "sheep")
    assert read_candidates(folder, names, classes) is None
    assert "candidates are kept of 1 of 2 images" in caplog.text
    (folder / "candidates/c.jpg.csv").write_text(header)
    read = read_candidates(folder, names, classes)
    assert read is not None and [len(read[name]) for name in names] == [1, 0]
    (tmp_path / "other.csv").write_text(header)
    (folder / "candidates/c.jpg.csv").unlink()
    (folder / "candidates/c.jpg.csv").symlink_to(tmp_path / "other.csv")
    with pytest.raises(ValueError, match=r"c\.jpg\.csv"):
        read_candidates(folder, names, classes)
