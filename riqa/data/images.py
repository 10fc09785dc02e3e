"""Which image file a label means, by stem, because publishers and preprocessing use different endings."""

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from riqa.data.findings import Finding
from riqa.data.walk import SUFFIXES, PassedOver, composed, walk_images
from riqa.names import to_text


def images_by_stem(
    root: Path, folder: str, nested: bool = False, passed: PassedOver | None = None
) -> dict[str, list[str]]:
    """Return the image files in a folder by stem; an empty table when the folder does not exist.

    Args:
        root: Folder that the paths returned are relative to.
        folder: Folder below `root`, or beside it ("../eyeq/test").
        nested: Whether images in folders below `folder` count too.
        passed: Gets what was passed over.

    Returns:
        For each stem its files, the preferred ending first.
    """
    found: dict[str, list[str]] = {}
    for path in walk_images(root / folder, folder, PassedOver() if passed is None else passed, nested):
        found.setdefault(_stem(path), []).append(path)
    for paths in found.values():
        paths.sort(key=_preference)
    return found


def _stem(path: str) -> str:
    return composed(posixpath.splitext(posixpath.basename(path))[0])


def _preference(path: str) -> int:
    ending = posixpath.splitext(path)[1].lower()
    return SUFFIXES.index(ending) if ending in SUFFIXES else len(SUFFIXES)


def match_images(
    table: pd.DataFrame, images: Mapping[str, Sequence[str]], where: str, passed: PassedOver | None = None
) -> list[Finding]:
    """Fill `path` of the labels whose image is there (None elsewhere), and say what does not match.

    Args:
        table: Labels with `stem`, the name of the image without its ending; changed in place.
        images: What `images_by_stem` found.
        where: What the labels and images are, for the messages, such as "train".
        passed: What `images_by_stem` passed over.
    """
    passed = passed or PassedOver()
    fill_paths(table, [images[stem][0] if stem in images else None for stem in table["stem"]])
    unread = {_stem(path): path for path in passed.unread}
    findings = unmatched(table, unread, sorted(set(images) - set(table["stem"])), where, passed)
    if doubled := sorted(stem for stem, paths in images.items() if len(paths) > 1):
        text = f"{where}: {len(doubled)} images are there with two endings, e.g. {doubled[0]}; one is used"
        findings.append(Finding("images-doubled", "info", text, tuple(doubled)))
    return findings


def fill_paths(table: pd.DataFrame, paths: Sequence[str | None]) -> None:
    """Fill `path` with the file of each image as `riqa.names.to_text` writes it; None where there is none."""
    table["path"] = [None if path is None else to_text(path) for path in paths]


def unmatched(
    table: pd.DataFrame, unread: Mapping[str, str], unlabelled: Sequence[str], where: str, passed: PassedOver
) -> list[Finding]:
    """Say which labels have no image, which images no label, and what was passed over.

    Args:
        table: Labels with `stem` and `path`, None where no image was found.
        unread: Files with an ending that is not read, by `stem`.
        unlabelled: Images without a label.
        where: What the labels and images are.
        passed: What was passed over.
    """
    without = table.loc[table["path"].isna(), "stem"].tolist()
    absent = [stem for stem in without if stem not in unread]
    others = [unread[stem] for stem in without if stem in unread]
    labelled = f"of {len(table)} labelled images are"
    findings = []
    if absent:
        barred = ", or in a folder that cannot be entered," if passed.barred else ""
        text = f"{where}: {len(absent)} {labelled} not there{barred} and are left out"
        findings.append(Finding("images-missing", "warning", text, tuple(absent)))
    if others:
        text = f"{where}: {len(others)} {labelled} there with an ending that is not read, e.g. {others[0]}"
        text += ", and are left out; save them as .png or .tif"
        findings.append(Finding("images-unread", "warning", text, tuple(others)))
    if unlabelled:
        text = f"{where}: {len(unlabelled)} images have no label and are left out, e.g. {unlabelled[0]}"
        findings.append(Finding("images-unlabelled", "info", text, tuple(unlabelled)))
    return findings + passed.findings(where)
