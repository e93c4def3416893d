import pytest
from rasterio._env import get_gdal_config

from detect.imagery.gdal.options import gdal_options


def test_gdal_has_the_options_of_the_innermost_block_and_those_before_it_afterwards() -> None:
    """A block inside of one with the same options changes nothing, also not when it ends by an error."""

    def now() -> list[object]:
        names = ("GDAL_DISABLE_READDIR_ON_OPEN", "GDAL_VRT_ENABLE_PYTHON", "GDAL_ERROR_ON_LIBJPEG_WARNING")
        return [get_gdal_config(name) for name in names]

    outside = now()
    with gdal_options():
        closed = now()
        with gdal_options(beside=True):
            assert now()[0] != closed[0]
            with gdal_options():
                assert now() == closed
            assert now()[0] != closed[0]
        assert now() == closed
        with pytest.raises(KeyError), gdal_options():
            assert now() == closed
            raise KeyError
        assert now() == closed and closed != outside
    assert now() == outside
    with gdal_options():
        assert now() == closed
    assert now() == outside
