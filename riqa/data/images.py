"""Which image file a label means, by stem, because publishers and preprocessing use different endings."""

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from riqa.data.findings import Finding, found
from riqa.data.walk import SUFFIXES, PassedOver, composed, walk_images
from riqa.names import to_text


def images_by_stem(root: Path, folder: str, passed: PassedOver, nested: bool = False) -> dict[str, list[str]]:
    """Return the image files in a folder by stem, the preferred ending first; none if it does not exist.

    Args:
        root: Folder that the paths returned are relative to.
        folder: Folder below `root`, or beside it ("../eyeq/test").
        passed: Gets what was passed over.
        nested: Whether images in folders below `folder` count too.
    """

    def preference(path: str) -> int:
        ending = posixpath.splitext(path)[1].lower()
        return (*SUFFIXES, ending).index(ending)

    files: dict[str, list[str]] = {}
    for path in sorted(walk_images(root / folder, folder, passed, nested), key=preference):
        files.setdefault(_stem(path), []).append(path)
    return files


def _stem(path: str) -> str:
    """Return a file's name without its ending, in the form in which names are compared."""
    return composed(posixpath.splitext(posixpath.basename(path))[0])


def match_images(
    table: pd.DataFrame, images: Mapping[str, Sequence[str]], where: str, passed: PassedOver
) -> list[Finding]:
    """Fill `path` of the labels whose image is there (None elsewhere), and say what does not match.

    Args:
        table: Labels with `stem`, the name of the image without its ending; changed in place.
        images: What `images_by_stem` found.
        where: What the labels and images are, for the messages, such as "train".
        passed: What `images_by_stem` passed over.
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
    """Say which labels have no image, which images no label, and what was passed over.

    Args:
        table: Labels with `stem` and `path`, None where no image was found.
        unread: Files with an ending that is not read, by `stem`.
        unlabelled: Images without a label.
        where: What the labels and images are.
        passed: What was passed over.
    """
    without = table.loc[table["path"].isna(), "stem"]
    absent = [stem for stem in without if stem not in unread]
    barred = ", or in a folder that cannot be entered," if passed.barred else ""
    labelled = f"{where}: {{n}} of {len(table)} labelled images are"
    other = f"{labelled} there with an ending that is not read, e.g. {{first}}, and are left out"
    unknown = f"{where}: {{n}} images have no label and are left out, e.g. {{first}}"
    return [
        *found("images-missing", "warning", absent, f"{labelled} not there{barred} and are left out"),
        *found(
            "images-unread",
            "warning",
            [unread[stem] for stem in without if stem in unread],
            f"{other}; save them as .png or .tif",
        ),
        *found("images-unlabelled", "info", unlabelled, unknown),
        *passed.findings(where),
    ]
