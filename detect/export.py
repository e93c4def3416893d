"""Export: `python -m detect.export model=FILE format=onnx|openvino|pt2 output=FILE`."""

from typing import TYPE_CHECKING

from detect.assembly.command import DONE, command

if TYPE_CHECKING:
    from detect.assembly.settings.export_settings import ExportSettings


def run(settings: "ExportSettings") -> int:
    """Write a network, raw pixels in and its map out, and check that it is the same; see `conf/export.yaml`."""
    from detect.assembly.exports.model_export import export_model

    export_model(settings)
    return DONE


main = command("export")(run)

if __name__ == "__main__":
    main()
