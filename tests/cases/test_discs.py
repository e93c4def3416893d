"""The models that all cases share find what there is in photographs that they have not seen."""

from pathlib import Path

import pandas as pd
import pytest

from tests.cases.discs import write_photographs
from tests.commands import call


@pytest.mark.parametrize("net", ["patch", "grid"])
def test_both_nets_count_the_discs_of_new_photographs(net: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(f"{net}_model")
    images = write_photographs(tmp_path / "new", "ef")
    done = call("predict", f"model={model}", f"images={images}", f"output={tmp_path / 'counts'}")
    assert done.code == 0, done.log
    assert pd.read_csv(tmp_path / "counts" / "counts.csv")["disc"].between(19, 21).all()
