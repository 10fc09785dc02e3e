"""Which image file a label means, by stem, because publishers and preprocessing use different endings."""

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from riqa.data.findings import Finding, found
from riqa.data.walk import SUFFIXES, PassedOver, composed, ending_of, walk_images
from riqa.names import to_text


def images_by_stem(root: Path, folder: str, passed: PassedOver, nested: bool = False) -> dict[str, list[str]]:
    """Return the image files in a folder by stem, the preferred ending first; none if it does not exist.

    `folder` lies below `root` or beside it ("../eyeq/test"), and paths are relative to `root`. What was
    passed over goes into `passed`. If `nested`, images in folders below count too.
    """
    files: dict[str, list[str]] = {}
    paths = walk_images(root / folder, folder, passed, nested)
    for path in sorted(paths, key=lambda path: (*SUFFIXES, ending_of(path)).index(ending_of(path))):
        files.setdefault(_stem(path), []).append(path)
    return files


def _stem(path: str) -> str:
    """Return a file's name without its ending, in the form in which names are compared."""
    return composed(posixpath.splitext(posixpath.basename(path))[0])


def match_images(table: pd.DataFrame, images: Mapping, where: str, passed: PassedOver) -> list[Finding]:
    """Fill `path` of the labels whose image is there (None elsewhere), and say what does not match.

    `table` holds `stem`, names of images without ending, and is changed in place. `images` and `passed` are
    what `images_by_stem` found and passed over; `where` says in messages what they are, such as "train".
    """
    table["path"] = [to_text(images[stem][0]) if stem in images else None for stem in table["stem"]]
    unread = {_stem(path): path for path in passed.unread}
    doubled = sorted(stem for stem, paths in images.items() if len(paths) > 1)
    text = f"{where}: {{n}} images are there with two endings, e.g. {{first}}; one is used"
    return [
        *unmatched(table, unread, sorted(set(images) - set(table["stem"])), where, passed),
        *found("images-doubled", "info", doubled, text),
    ]


def unmatched(
    table: pd.DataFrame, unread: Mapping[str, str], unlabelled: Sequence[str], where: str, passed: PassedOver
) -> list[Finding]:
    """Say which labels (`stem`, `path` or None) have no image, which images no label, what was passed over.

    `unread` holds the files with an ending that is not read, by `stem`.
    """
    without = table.loc[table["path"].isna(), "stem"]
    absent = [stem for stem in without if stem not in unread]
    other = [unread[stem] for stem in without if stem in unread]
    barred = ", or in a folder that cannot be entered," if passed.barred else ""
    missing = f"{where}: {{n}} of {len(table)} labelled images are not there{barred} and are left out"
    odd = f"{where}: {{n}} of {len(table)} labelled images are there with an ending that is not read, e.g. "
    odd += "{first}, and are left out; save them as .png or .tif"
    unknown = f"{where}: {{n}} images have no label and are left out, e.g. {{first}}"
    return [
        *found("images-missing", "warning", absent, missing),
        *found("images-unread", "warning", other, odd),
        *found("images-unlabelled", "info", unlabelled, unknown),
        *passed.findings(where),
    ]
