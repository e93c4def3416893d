"""Fetch the sample photographs of the demo: forest from the air (NEON), with every tree crown boxed.

They come in the wheel of the Python package `deepforest` (MIT; photographs of the National Ecological Observatory
Network), which pip downloads without installing it; its checksum is verified, and just the images and their Pascal
VOC boxes are taken out.

    python tools/fetch_neon.py [--into data/neon]

Leaves `train/` (2,299 x 2,472 pixels, 574 trees), `test/` (1,249 x 1,035, 279 trees) and `more/` (three small ones).
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

PACKAGE = "deepforest==2.1.0"
SHA256 = "8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54"
TRAIN, TEST = "2019_YELL_2_528000_4978000_image_crop2", "2019_YELL_2_541000_4977000_image_crop"
FILES = {
    f"{TRAIN}.png": "train",
    f"{TRAIN}.xml": "train",
    f"{TEST}.png": "test",
    f"{TEST}.xml": "test",
    "OSBS_029.tif": "more",
    "OSBS_029.xml": "more",
    "SOAP_061.png": "more",
    "SOAP_061.xml": "more",
}
DONE = "complete"


def main() -> int:
    """Fetch what is missing and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, default=Path("data/neon"))
    into: Path = parser.parse_args().into
    if (into / DONE).exists():
        print(f"sample photographs are in {into}")
        return 0
    print(f"fetching the sample photographs (20 MB, in the wheel of {PACKAGE}) ...", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        wheel = download(Path(folder))
        if wheel is None:
            return 1
        unpack(wheel, into)
    print(f"sample photographs are in {into}")
    return 0


def download(folder: Path) -> Path | None:
    """Download the wheel with pip, and check that it is the expected one."""
    call = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run([*call, "--dest", str(folder), PACKAGE], check=False, capture_output=True, text=True)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        print(f"the sample photographs could not be had:\n{done.stderr.strip()}\n{way_out()}", file=sys.stderr)
        return None
    found = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if found != SHA256:
        print(
            f"{wheels[0].name} is not the file that was expected: its sha256 is {found}\n{way_out()}", file=sys.stderr
        )
        return None
    return wheels[0]


def unpack(wheel: Path, into: Path) -> None:
    """Unpack the photographs and boxes of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.namelist():
            name = PurePosixPath(entry).name
            if name in FILES and entry.startswith("deepforest/data/"):
                target = into / FILES[name] / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(entry))
    (into / DONE).touch()


def way_out() -> str:
    """Return what to do without the samples."""
    return (
        "with your own images: python -m detect.train data.root=FOLDER data.annotations=boxes.csv output=runs/mine\n"
        "                      python -m detect.predict model=runs/mine/model.safetensors images=FOLDER output=runs/out"
    )


if __name__ == "__main__":
    sys.exit(main())
