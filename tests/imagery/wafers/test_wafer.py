import numpy as np
import pytest

from detect.imagery.wafers.wafer import Wafer, check_diameter, check_pitch


def wafer(**changed: object) -> Wafer:
    """Two defects on a wafer of 300 mm."""
    given = {
        **{
            "lot": "L",
            "name": "W",
            "diameter_mm": 300.0,
            "xy_mm": np.zeros((2, 2)),
            "size_mm": np.array([0.5, np.nan]),
        },
        "kinds": np.zeros(2, np.int64),
    }
    return Wafer(**{**given, **changed})  # type: ignore[arg-type]


def test_a_wafer_cannot_be_written_to_and_counts_its_defects() -> None:
    made = wafer(kind_names={3: "scratch"}, die=np.zeros((2, 2), np.int64))
    assert len(made) == 2
    for values in (made.xy_mm, made.size_mm, made.kinds, made.die):
        assert values is not None and not values.flags.writeable
    with pytest.raises(TypeError):
        made.kind_names[4] = "ring"  # type: ignore[index]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"diameter_mm": 300e3}, "10 to 1000 mm, is 300000 mm"),
        ({"diameter_mm": float("nan")}, "10 to 1000 mm"),
        ({"xy_mm": np.zeros((2, 3))}, r"xy_mm must be float64 of shape \(2, 2\)"),
        ({"xy_mm": np.full((2, 2), np.nan)}, "finite"),
        ({"kinds": np.zeros(2, np.int32)}, "kinds must be int64"),
        ({"kinds": np.zeros(3, np.int64)}, "kinds must be int64 of shape"),
        ({"die": np.zeros((1, 2), np.int64)}, "die must be"),
        ({"size_mm": np.array([-1.0, 0.0])}, "0 or more"),
        ({"pitch_mm": (0.0, 5.0)}, "pitch_mm must be above 0"),
        ({"images": ("a.png",)}, "1 images for 2 defects"),
    ],
)
def test_what_is_no_wafer_is_an_error(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wafer(**changed)


def test_wrong_units_are_found_by_bounds() -> None:
    """A pitch of 5 mm is 5000 um; taken for nanometres it is 0.005 mm, and taken for millimetres 5000 mm."""
    check_diameter(450)
    check_pitch((5, 300), 300)
    for pitch in ((0.005, 0.005), (5000, 5000), (5, float("nan"))):
        with pytest.raises(ValueError, match=r"0\.02 to 600 mm"):
            check_pitch(pitch, 300)
