"""The files that benchmarks read: real photographs where there are some, else drawn ones."""

import itertools
import os
from pathlib import Path


def phantom_files(folder: Path, n: int = 6, width: int = 2600) -> list[Path]:
    """Draw clean phantoms, `width` pixels wide, once, the cameras in turn; return their files."""
    from riqa.phantom.fundus import CAMERAS
    from riqa.phantom.photograph import Exposure, render_clean, write_jpeg

    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, camera in zip(range(n), itertools.cycle(CAMERAS), strict=False):
        files.append(folder / f"{number}_{camera}.jpg")
        if not files[-1].is_file():
            shot = Exposure("phantom_grades", 0, number, number, "left", "macula", camera, width)
            write_jpeg(files[-1], render_clean(shot).image)
    return files


def camera_files(drawn: Path) -> list[Path]:
    """Return at most 40 JPEG files of a camera's size: of RIQA_DATA, else phantoms, drawn into a folder.

    Of RIQA_DATA the folder `fullres` is taken, if it has one.
    """
    root = os.environ.get("RIQA_DATA")
    if not root:
        return phantom_files(drawn)
    folder = Path(root) / "fullres" if (Path(root) / "fullres").is_dir() else Path(root)
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))[:40]
    if not files:
        raise SystemExit(f"{folder} holds no JPEG; set RIQA_DATA to a folder of photographs, or unset it")
    return files


def source() -> str:
    """Say where the photographs of `camera_files` come from."""
    return "real photographs" if os.environ.get("RIQA_DATA") else "phantoms"
