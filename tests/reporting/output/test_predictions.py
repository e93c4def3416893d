import pytest

from detect.reporting.output.predictions import read_predictions


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
        ("counts.csv", "image,cow,total\n/etc/x,0,0\n", "'/etc/x'"),
    ],
)
def test_damaged_files_are_named(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_predictions(folder)
    assert name in str(caught.value)
