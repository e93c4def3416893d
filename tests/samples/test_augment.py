"""Augmentation: what a setting of it may name."""

from typing import Any

import pytest

from detect.samples.augment import Augment


@pytest.mark.parametrize(
    ("transforms", "said"),
    [
        ({"Affinee": {}}, r"augment\.transforms\.Affinee .*did you mean Affine"),
        ({"Affine": {"rotat": 3}}, r"augment\.transforms\.Affine\.rotat: no such argument; did you mean rotate"),
        ({"Affine": {"rotate": "far"}}, r"augment\.transforms\.Affine: .*rotate"),
        ({"Compose": {"transforms": []}}, r"augment\.transforms\.Compose is not a transform"),
        ({"load": {"filepath_or_buffer": "a.yaml"}}, r"augment\.transforms\.load is not a transform"),
        ({"__file__": {}}, r"augment\.transforms\.__file__ is not a transform"),
    ],
)
def test_what_is_no_transform_or_argument_is_refused_with_the_nearest(transforms: dict[str, Any], said: str) -> None:
    """Nothing else of albumentations is called, such as what reads a file of transforms."""
    with pytest.raises(ValueError, match=rf"(?s){said}"):
        Augment(transforms)
