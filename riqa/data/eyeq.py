"""EyeQ: overall quality (Fu et al., MICCAI 2019) of photographs of the EyePACS competition.

Labels come from the EyeQ repository, images from Kaggle's "diabetic-retinopathy-detection"; the folder is

    Label_EyeQ_train.csv  Label_EyeQ_test.csv   header ",image,quality,DR_grade"
    train/<patient>_<eye>.jpeg   test/<patient>_<eye>.jpeg   (or .jpg, .png; any part of the images)

Beware: the label files say 0 = good, 1 = usable, 2 = reject, the reverse of the code used here.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.catalogue import Catalogue
from riqa.data.findings import Finding
from riqa.data.images import images_by_stem, match_images
from riqa.data.manifest import grouped_stratified_split
from riqa.errors import InputError

CODE = {0: 2, 1: 1, 2: 0}
"""EyeQ's code of overall quality -> the code of `riqa.labels`."""

PUBLISHED = {
    "train": {"good": 8347, "usable": 1876, "reject": 2320, "all": 12543},
    "test": {"good": 8471, "usable": 4558, "reject": 3220, "all": 16249},
}
"""Counted from the label files (the repository's page prints 1,896 for usable in train, a typo)."""

NEEDED = ("image", "quality")
_FRACTIONS = {"train": 0.6, "val": 0.1, "test": 0.3}
_STEM = r"^(?P<patient_id>\d+)_(?P<eye>left|right)$"


def read_eyeq(
    root: Path | str,
    *,
    fractions: Mapping[str, float] | None = None,
    validation: float = 0.1,
    seed: int = 0,
) -> Catalogue:
    """Read the labels, and which of their images are in the folder; a partial download is welcome.

    With images of both parts, EyeQ's own test set is the test split, and `validation` of the training
    patients are the validation split: the paper holds out 1,254 images, 10 %, and does not say whether by
    patient. With training images alone, as in the thumbnails that are shared publicly, the patients whose
    images are there are dealt into all three splits by `fractions`.

    Args:
        root: Folder with the label files and `train/`, `test/`.
        fractions: Shares of train, val and test when no test image is there; 0.6, 0.1, 0.3 by default.
        validation: Share of the training images held out when test images are there.
        seed: Seed of the dealing.

    Raises:
        InputError: If the folder, the label files or their columns are missing, a label lies outside EyeQ's
            code, or an image is labelled twice or named otherwise than patient and eye.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} does not exist or is no folder; give the folder with the EyeQ label files")
    if not any(root.iterdir()):
        raise InputError(f"{root} is empty; put Label_EyeQ_train.csv and the folder train/ of images there")
    findings, parts = [], []
    for part in ("train", "test"):
        labels = root / f"Label_EyeQ_{part}.csv"
        images = images_by_stem(root, part)
        if part == "test" and not labels.is_file() and not images:
            continue  # the training half alone is enough
        table = _read_labels(labels).assign(split=part)
        findings += match_images(table, images, part)
        parts.append(table)
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(dataset="eyeq", view="unknown", source="EyePACS")
    there, training = table["path"].notna(), table["split"] == "train"
    if (there & ~training).any() or not there.any():
        # Dealt before absent images are left out, so that a fuller download moves nobody to another split.
        rows, shares = training, {"train": 1 - validation, "val": validation}
    else:
        table = table[training]
        rows, shares = table["path"].notna(), dict(fractions or _FRACTIONS)
        text = "there is no test image, so the training patients that are there were dealt into three splits"
        findings.append(
            Finding("own-splits", "warning", text + "; scores do not compare with published ones")
        )
    table.loc[rows, "split"] = grouped_stratified_split(table[rows], shares, seed)
    return Catalogue(
        name="eyeq",
        root=root,
        table=table,
        n_classes=3,
        citation="fu2019evaluation",
        licence="Labels: see the EyeQ repository. Images: rules of the Kaggle competition.",
        findings=tuple(findings),
        published=PUBLISHED,
    )


def _read_labels(path: Path) -> pd.DataFrame:
    """Return image_id, patient_id, eye and overall (in the code of `riqa.labels`) from one label file."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; download it from the EyeQ repository (HzFu/EyeQ, data/)")
    try:
        table = pd.read_csv(path, dtype=str)
    except (ValueError, OSError) as error:  # parser, encoding and empty-file errors are ValueErrors
        raise InputError(
            f"{path} cannot be read as CSV ({str(error).splitlines()[0]}); download it again"
        ) from None
    missing = [column for column in NEEDED if column not in table]
    if missing:
        found = ", ".join(map(str, table.columns))
        raise InputError(
            f"{path} lacks the column(s) {', '.join(missing)} (it has: {found}); download it again"
        )
    if table.empty:
        raise InputError(f"{path} holds no label; download it again")
    stems = table["image"].fillna("").map(lambda name: Path(name).stem)
    code = pd.to_numeric(table["quality"], errors="coerce").map(CODE)
    if code.isna().any():
        row = int(np.flatnonzero(code.isna())[0])
        value = table["quality"].iloc[row]
        raise InputError(
            f"{path}: image {stems.iloc[row]} has quality {value}; EyeQ's code is 0, 1, 2: correct it"
        )
    parts = stems.str.extract(_STEM)
    if parts["eye"].isna().any():
        name = table["image"].iloc[int(np.flatnonzero(parts["eye"].isna())[0])]
        raise InputError(f"{path}: image {name} is not named <patient>_<left or right>; correct the name")
    if stems.duplicated().any():
        raise InputError(
            f"{path}: image {stems[stems.duplicated()].iloc[0]} is labelled twice; remove one row"
        )
    return parts.assign(image_id=stems, stem=stems, overall=code.astype(float))
