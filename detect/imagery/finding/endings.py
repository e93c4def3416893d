"""What a file's name says: an image that is read, one that must be converted first, or a system's own file."""

import re
from collections.abc import Mapping
from pathlib import PurePath

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".gtiff", ".geotiff", ".btf", ".bmp", ".dib"),
    *(".webp", ".gif", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".vrt", ".klarf", ".kla"),
)
"""Endings of images, in lower or upper case, with which files are read when a folder is searched."""

DEFECT_LISTS = ".wafer.csv"
"""Ending of a list of a wafer's defects as CSV, by which it is told from a table of something else."""

NUMBERED = (".000", ".001")
"""Endings of numbered files, which are read when they are lists of a wafer's defects (KLARF) by their first lines."""

RAW = ".dng .nef .nrw .cr2 .cr3 .crw .arw .srf .sr2 .raf .orf .rw2 .pef .srw .3fr .fff .iiq .x3f .kdc .dcr .mrw"
"""Endings of camera raw files. Many are TIFF by their first bytes, of which the first page is a small preview."""

WAYS: Mapping[str, str] = {
    "export camera raw as TIFF or JPEG (darktable-cli in.dng out.tif)": RAW,
    "convert photographs (magick in.heic out.jpg)": (
        ".heic .heif .avif .jxl .jxr .wdp .exr .hdr .tga .ppm .pgm .pnm .pbm .pcx .qoi .ico .icns"
    ),
    "export drawings and layered files as PNG or TIFF": ".psd .psb .xcf .kra .svg .ai .eps .cdr .pdf",
    "convert rasters (gdal_translate in.img out.tif)": (
        ".ecw .sid .img .ers .bil .bip .bsq .asc .dem .nitf .ntf .nc .hdf .h5 .grb .grib .grib2 .fits .mbtiles"
    ),
    "export microscope images as TIFF at full size": ".czi .lif .nd2 .oib .oif .vsi .svs .ndpi .mrxs .scn .dcm .dicom",
    "take frames out of films (ffmpeg -i in.mp4 frame_%05d.png)": ".mp4 .mov .avi .mkv .m4v .wmv .webm",
    "unpack archives": ".zip .7z .rar .tar .tgz",
}
"""What to do with files that may hold images and are not read, and their endings."""

WAY_OF = {ending: way for way, endings in WAYS.items() for ending in endings.split()}
"""What to do, by ending."""

_SYSTEM = re.compile(
    r"\..+|@eaDir|@Recycle|@Recently-Snapshot|#recycle|#snapshot|__MACOSX|\$RECYCLE\.BIN|RECYCLER|"
    r"System Volume Information|lost\+found|Network Trash Folder|Temporary Items|"
    r"(eh)?thumbs(_vista)?\.db|desktop\.ini",
    re.IGNORECASE,
)
"""Names of hidden files and folders, and of those that systems and storage devices put among a person's."""


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden or a system's own, by its name without folders."""
    return _SYSTEM.fullmatch(name) is not None


def has_image_ending(name: str | PurePath) -> bool:
    """Return whether a file is searched for by its ending."""
    path = PurePath(name)
    return path.suffix.lower() in SUFFIXES or path.name.lower().endswith(DEFECT_LISTS)


def way_out(name: str | PurePath) -> str | None:
    """Return what to do with a file that may hold an image and is not read; None for any other."""
    return WAY_OF.get(PurePath(name).suffix.lower())
