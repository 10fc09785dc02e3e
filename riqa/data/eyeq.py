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

from riqa.data.manifest import COLUMNS, Dataset, grouped_stratified_split, validate_manifest
from riqa.errors import InputError

CODE = {0: 2, 1: 1, 2: 0}
"""EyeQ's code of overall quality -> the code of `riqa.labels`."""

SUFFIXES = (".jpeg", ".jpg", ".png")
"""Endings of images, the preferred first when a stem occurs with several."""

NEEDED = ("image", "quality")
_FRACTIONS = {"train": 0.6, "val": 0.1, "test": 0.3}
_STEM = r"^(?P<patient_id>\d+)_(?P<eye>left|right)$"


def load_eyeq(
    root: Path | str,
    *,
    fractions: Mapping[str, float] | None = None,
    validation: float = 0.1,
    seed: int = 0,
) -> Dataset:
    """Load the labelled images that are in a folder; a partial download is welcome.

    With images of both parts, EyeQ's own test set is the test split, and `validation` of the training
    patients are the validation split (the paper holds out 10 %). With training images alone, as in the
    thumbnails that are shared publicly, their patients are dealt into all three splits by `fractions`.

    Args:
        root: Folder with the label files and `train/`, `test/`.
        fractions: Shares of train, val and test when no test image is there; 0.6, 0.1, 0.3 by default.
        validation: Share of the training images held out when test images are there.
        seed: Seed of the dealing.

    Raises:
        InputError: If the folder, the label files or their columns are missing, a label lies outside EyeQ's
            code, an image is labelled twice or named otherwise than patient and eye, or no labelled image is
            there.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} does not exist or is no folder; give DATA=<folder that holds eyeq/>")
    if not any(root.iterdir()):
        raise InputError(f"{root} is empty; put Label_EyeQ_train.csv and the folder train/ of images there")
    findings, parts = [], []
    for part in ("train", "test"):
        labels = root / f"Label_EyeQ_{part}.csv"
        images = _images(root / part)
        if part == "test" and not labels.is_file() and not images:
            continue  # the training half alone is enough
        table = _read_labels(labels)
        _match(table, images, part, findings)
        parts.append(table[table["path"].notna()].assign(split=part))
    table = pd.concat(parts, ignore_index=True)
    if table.empty:
        endings = ", ".join(SUFFIXES)
        raise InputError(
            f"{root}/train and {root}/test hold no labelled image ({endings}); put EyePACS images there"
        )
    table = table.reindex(columns=list(COLUMNS)).assign(dataset="eyeq", view="unknown", source="EyePACS")
    official = set(table["split"]) == {"train", "test"}
    dealt = {"train": 1 - validation, "val": validation} if official else dict(fractions or _FRACTIONS)
    rows = table["split"] == "train" if official else table["split"].notna()
    table.loc[rows, "split"] = grouped_stratified_split(table[rows], dealt, seed)
    licence = (
        "Labels: see the EyeQ repository. Images: rules of the Kaggle competition; not redistributed here."
    )
    return Dataset(
        name="eyeq",
        root=root,
        manifest=validate_manifest(table, 3),
        n_classes=3,
        citation="fu2019evaluation",
        licence=licence,
        findings=tuple(findings),
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
    return parts.assign(image_id=stems, overall=code.astype(float))


def _images(folder: Path) -> dict[str, list[str]]:
    """Return the names of a folder's images by stem, the preferred ending first; empty without the folder."""
    if not folder.is_dir():
        return {}
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            found.setdefault(path.stem, []).append(path.name)
    for names in found.values():
        names.sort(key=lambda name: SUFFIXES.index(Path(name).suffix.lower()))
    return found


def _match(table: pd.DataFrame, images: dict[str, list[str]], part: str, findings: list[str]) -> None:
    """Fill `path` of the labels whose image is there, and say what does not match."""
    table["path"] = table["image_id"].map(
        lambda stem: f"{part}/{images[stem][0]}" if stem in images else None
    )
    absent = int(table["path"].isna().sum())
    unlabelled = sorted(set(images) - set(table["image_id"]))
    doubled = sorted(stem for stem, names in images.items() if len(names) > 1)
    if absent:
        findings.append(f"{absent} of {len(table)} labels of the {part} file have no image and were left out")
    if unlabelled:
        findings.append(
            f"{len(unlabelled)} images in {part}/ have no label and were left out, e.g. {unlabelled[0]}"
        )
    if doubled:
        findings.append(
            f"{len(doubled)} images in {part}/ are there with two endings, e.g. {doubled[0]}; one was used"
        )
