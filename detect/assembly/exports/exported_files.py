"""Files of exported networks, and what runs them."""

from pathlib import Path
from typing import TYPE_CHECKING

from detect.assembly.settings.export_settings import ExportSettings

if TYPE_CHECKING:
    from detect.inference.exports.parity import Run


ENDINGS = {"onnx": ".onnx", "openvino": ".xml", "pt2": ".pt2"}
"""Ending of each format's file."""

WEIGHTS = ".bin"
"""Ending of the file beside OpenVINO's .xml."""


def exported_files(settings: ExportSettings) -> list[Path]:
    """Return the files of an export, the one that names the others last.

    Raises:
        FileExistsError: one is there already, and `overwrite` is not set.
        IsADirectoryError, NotADirectoryError: a folder has the file's name, or a file that of its folder.
    """
    weights = [settings.output.with_suffix(WEIGHTS)] if settings.format == "openvino" else []
    files = [*weights, settings.output]
    for folder in settings.output.parents:
        if folder.is_file():
            raise NotADirectoryError(f"output={settings.output}: {folder} is a file; name another folder")
    for file in files:
        if file.is_dir():
            raise IsADirectoryError(f"output={settings.output}: {file} is a folder; name a file")
        if file.exists() and not settings.overwrite:
            raise FileExistsError(f"{file} is there already; overwrite=true replaces it, or name another file")
    return files


def runner(kind: str, path: Path) -> "Run":
    """Return what runs an exported file on the CPU."""
    match kind:
        case "onnx":
            from detect.inference.exports.onnx_file import OnnxRun

            return OnnxRun(path)
        case "openvino":
            from detect.inference.exports.openvino_file import OpenVinoRun

            return OpenVinoRun(path)
        case _:
            from detect.inference.exports.program import ProgramRun

            return ProgramRun(path)
