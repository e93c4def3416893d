"""Case: a GeoTIFF of 16 bits and five bands trains, predicts, evaluates and reports end to end, by both nets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from detect.nets.header import read_card
from tests.cases.discs import GRID_NET, PATCH_NET, disc_pixels, disc_places
from tests.commands import call
from tests.imagery.rasters import write_tiff

NETS = {"patch": PATCH_NET, "grid": GRID_NET}
MAP = {"crs": "EPSG:32633", "transform": (0.5, 0, 400_000, 0, -0.5, 5_000_000)}


def five_bands(name: str) -> NDArray[np.uint16]:
    """Reflectances times 10,000 in five bands: those of a photograph with little contrast, and two infrared ones."""
    photograph = np.moveaxis(disc_pixels(disc_places(ord(name)), ord(name)), -1, 0).astype(float)
    noise = np.random.default_rng(ord(name)).normal(0, 20, (2, *photograph.shape[1:]))
    infrared = np.stack([photograph[0] * 12, 5000 - photograph[2] * 6]) + noise
    return np.concatenate([400 + photograph * 5, infrared]).astype(np.uint16)


def write_rasters(folder: Path, names: str) -> Path:
    from rasterio import Affine

    folder.mkdir(parents=True)
    rows = []
    for name in names:
        write_tiff(folder / f"{name}.tif", five_bands(name), crs=MAP["crs"], transform=Affine(*MAP["transform"]))
        rows += [{"image": f"{name}.tif", "x": x, "y": y, "label": "disc"} for x, y in disc_places(ord(name))]
    pd.DataFrame(rows).to_csv(folder / "points.csv", index=False)
    return folder


@pytest.mark.parametrize("net", ["patch", "grid"])
def test_five_bands_of_sixteen_bits_end_to_end(net: str, tmp_path: Path) -> None:
    learned, new = write_rasters(tmp_path / "learned", "abcd"), write_rasters(tmp_path / "new", "ef")
    given = (f"data.root={learned}", f"data.annotations={learned / 'points.csv'}", "data.bands=[1,2,3,4,5]")
    light = ("augment=light", "augment.transforms.Affine.p=0")
    shown = call(
        "preview", *given, *NETS[net], "data.split.val=[d.tif]", *light, f"output={tmp_path}/sheet.jpg", "samples=4"
    )
    assert shown.code == 0, shown.log
    done = call("train", *given, *NETS[net], "data.split.val=[d.tif]", *light, f"output={tmp_path}/run")
    assert done.code == 0 and "varied by RandomBrightnessContrast" in done.log, done.log
    card = read_card(tmp_path / "run" / "model.safetensors")
    assert card.bands == (1, 2, 3, 4, 5) and card.dtype == "uint16" and len(card.offset) == 5
    assert card.looks is not None and card.looks.bands[0].low > 400 and card.looks.bands[4].low > 3000
    counts = tmp_path / "counts"
    done = call("predict", f"model={tmp_path}/run/model.safetensors", f"images={new}", f"output={counts}")
    assert done.code == 0, done.log
    table = pd.read_csv(counts / "counts.csv", keep_default_na=False)
    assert table["disc"].between(19, 21).all() and (table["unlike_in"] == "").all()
    scored = ("radius=8", f"output={counts}")
    done = call("evaluate", f"predictions={counts}", f"annotations={new / 'points.csv'}", *scored)
    assert done.code == 0 and pd.read_json(counts / "scores.json", typ="series")["f1"] >= 0.95
    assert call("report", f"predictions={counts}").code == 0


@pytest.mark.parametrize("bands", [1, 2, 4, 5, 12])
@pytest.mark.parametrize("rule", ["auto", "dtype", "percentiles", "mean_std", "imagenet", "{mean:[900],std:[450]}"])
def test_any_rule_normalises_any_bands(bands: int, rule: str, tmp_path: Path) -> None:
    """What the net sees of the training images is of the order of 1 by each rule that looks at them."""
    import torch

    from detect.assembly.validation import set_normalisation
    from detect.nets.modelfile import build_net
    from tests.assembly.runs_of import material_of, patch_settings

    folder = write_rasters(tmp_path / "learned", "ab")
    settings = patch_settings(
        folder,
        "points.csv",
        f"data.bands={[1 + i % 5 for i in range(bands)]}".replace(" ", ""),
        f"data.normalisation={rule}",
    )
    material = material_of(settings)
    net = build_net(material.spec)
    set_normalisation(net, material)
    assert net.offset.shape == net.scale.shape == (1, bands, 1, 1)
    if rule in ("auto", "percentiles", "mean_std"):
        pixels = torch.from_numpy(five_bands("a")[[i % 5 for i in range(bands)]].astype(np.float32))
        seen = (pixels - net.offset) / net.scale
        assert seen.abs().mean() < 2 and (seen.std(dim=(2, 3)) > 0.1).all()


def test_a_normalisation_that_is_none_is_refused(tmp_path: Path) -> None:
    folder = write_rasters(tmp_path / "learned", "ab")
    given = (f"data.root={folder}", f"data.annotations={folder / 'points.csv'}", *PATCH_NET, "data.split.val=[b.tif]")
    for rule, said in (
        ("minmax", "must be one of auto, dtype, percentiles, mean_std, imagenet, or"),
        ("{mean:[1,2],std:[1]}", "as many means as stds"),
        ("{mean:[1],std:[0]}", "positive stds"),
        ("{mean:[1,2],std:[1,1]}", "2 means, and 3 bands"),
    ):
        done = call("train", *given, f"data.normalisation={rule}", f"output={tmp_path}/run", "overwrite=true")
        assert done.code == 2 and said in done.log, done.log
