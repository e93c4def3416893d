import unicodedata
from pathlib import Path

import pytest

from detect.imagery.finding.spelling import as_on_disk, composed, folded


@pytest.mark.parametrize(("given", "there"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_path_is_found_in_the_form_of_the_disk(tmp_path: Path, given: str, there: str) -> None:
    place = tmp_path / unicodedata.normalize(there, "Möwen") / unicodedata.normalize(there, "für 1.jpg")
    place.parent.mkdir()
    place.touch()
    typed = tmp_path / unicodedata.normalize(given, "Möwen") / unicodedata.normalize(given, "für 1.jpg")
    assert as_on_disk(typed).samefile(place) and as_on_disk(typed).exists()
    assert as_on_disk(typed.parent / "plain.jpg").parent.samefile(place.parent)


def test_what_is_not_there_or_is_there_twice_stays_as_it_was(tmp_path: Path) -> None:
    both = [tmp_path / unicodedata.normalize(form, "Åä") for form in ("NFC", "NFD")]
    for path in both:
        path.mkdir(exist_ok=True)
    mixed = tmp_path / (unicodedata.normalize("NFC", "Å") + unicodedata.normalize("NFD", "ä"))
    assert all(as_on_disk(path) == path for path in (*both, tmp_path / "Möwe/鸟.jpg", Path("鸟\0"), Path("ö" * 300)))
    if len(list(tmp_path.iterdir())) == 2:
        assert as_on_disk(mixed) == mixed


def test_forms_and_case_are_levelled() -> None:
    assert composed(unicodedata.normalize("NFD", "Möwe")) == "Möwe" and folded("STRASSE") == folded("Straße")
