"""Convert: `python -m detect.convert source=FILE_OR_DIR target=FILE_OR_DIR [root=DIR] [summary=FILE] [sheet=FILE]`."""

import logging
from typing import TYPE_CHECKING

from detect.assembly.command import DONE, command

if TYPE_CHECKING:
    from detect.assembly.settings.convert_settings import ConvertSettings

logger = logging.getLogger("detect.convert")


def run(settings: "ConvertSettings") -> int:
    """Write annotations, detections or defects of wafers in another format; see `conf/convert.yaml`."""
    from detect.assembly.conversion.converting import check_outputs, convert, read_source, write_views
    from detect.assembly.conversion.wafer_lists import convert_wafers, is_wafer_list

    if is_wafer_list(settings):
        convert_wafers(settings)
        return DONE
    check_outputs(settings)
    labels = read_source(settings)
    if settings.target is not None:
        convert(settings, labels)
    write_views(settings, labels.annotations)
    return DONE


main = command("convert")(run)

if __name__ == "__main__":
    main()
