"""The image files of a folder, by stem: publishers and preprocessing disagree about endings."""

from pathlib import Path

import pandas as pd

from riqa.data.findings import Finding
from riqa.names import to_text

SUFFIXES = (".jpeg", ".jpg", ".png", ".tif", ".tiff", ".bmp")
"""Endings of images, the preferred first when a stem occurs with several."""


def images_by_stem(root: Path, folder: str, nested: bool = False) -> dict[str, list[str]]:
    """Return the image files in `root/folder`, as paths relative to `root`, by stem.

    Args:
        root: Folder that the paths are relative to.
        folder: Folder below `root`, or beside it ("../eyeq/test").
        nested: Whether images in folders below `folder` count too.

    Returns:
        For each stem its files, the preferred ending first; empty when the folder does not exist. Both are
        written by `riqa.names.to_text`.
    """
    if not (root / folder).is_dir():
        return {}
    found: dict[str, list[str]] = {}
    for path in sorted((root / folder).glob("**/*" if nested else "*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            found.setdefault(to_text(path.stem), []).append(to_text(path.relative_to(root).as_posix()))
    for paths in found.values():
        paths.sort(key=lambda path: SUFFIXES.index(Path(path).suffix.lower()))
    return found


def match_images(table: pd.DataFrame, images: dict[str, list[str]], where: str) -> list[Finding]:
    """Fill `path` of the labels whose image is there (None elsewhere), and say what does not match.

    Args:
        table: Labels with `stem`, the name of the image without its ending; changed in place.
        images: What `images_by_stem` found.
        where: What the labels and images are, for the messages, such as "train".
    """
    table["path"] = [images[stem][0] if stem in images else None for stem in table["stem"]]
    absent = table.loc[table["path"].isna(), "stem"].tolist()
    unlabelled = sorted(set(images) - set(table["stem"]))
    doubled = sorted(stem for stem, paths in images.items() if len(paths) > 1)
    findings = []
    if absent:
        text = f"{where}: {len(absent)} of {len(table)} labelled images are not there and are left out"
        findings.append(Finding("images-missing", "warning", text, tuple(absent)))
    if unlabelled:
        text = f"{where}: {len(unlabelled)} images have no label and are left out, e.g. {unlabelled[0]}"
        findings.append(Finding("images-unlabelled", "info", text, tuple(unlabelled)))
    if doubled:
        text = f"{where}: {len(doubled)} images are there with two endings, e.g. {doubled[0]}; one is used"
        findings.append(Finding("images-doubled", "info", text, tuple(doubled)))
    return findings
