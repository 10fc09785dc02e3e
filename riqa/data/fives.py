"""FIVES: three details of photographs collected for their vessels (Jin et al., Scientific Data 2022).

A second details set, by the makers of MSHF, that the paper does not use. The folder, from figshare
(19688169), is

    FIVES A Fundus Image Dataset for AI-based Vessel Segmentation/
      Quality Assessment.xlsx               sheets Train and Test: Disease, Number, IC, Blur, LC
      {train,test}/Original/<number>_<A|D|G|N>.png      600 and 200 photographs; a stray Thumbs.db
      {train,test}/Ground truth/...         vessels, which are not read

Beware: the sheets say neither what the three titles mean nor which value is good. Both are assumed here, and
a finding says so. The numbers begin anew in each part: 1_A.png of train is another photograph than that of
test. There is no overall quality, and no patient id.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from riqa.data.catalogue import Catalogue
from riqa.data.findings import Finding
from riqa.data.images import images_by_stem, match_images
from riqa.data.manifest import grouped_stratified_split
from riqa.data.sheets import decode, find_file, read_labels, refuse_twice
from riqa.data.walk import PassedOver
from riqa.errors import InputError
from riqa.labels import DETAILS

PUBLISHED = {"train": {"all": 600}, "test": {"all": 200}}
"""From the article; labels of details are not counted there."""

CITATION = "jin2022fives"
LICENCE = "CC BY 4.0"

COLUMNS = {"IC": "illumination", "Blur": "clarity", "LC": "contrast"}
"""Column of the sheets -> the detail that it is taken for."""

DISEASES = ("A", "D", "G", "N")
"""Letters of names: age-related macular degeneration, diabetic retinopathy, glaucoma, normal."""

VALIDATION = 0.1
"""Share of the training images held out, as the paper does of its sets; the publisher holds out none."""

_SHEETS = {"train": "Train", "test": "Test"}
_LABELS = "Quality Assessment.xlsx"
_FOLDER = "FIVES A Fundus Image Dataset for AI-based Vessel Segmentation"
_ADVICE = "download FIVES again from figshare (19688169)"


def read_fives(root: Path | str, *, seed: int = 0) -> Catalogue:
    """Read the scores, the publisher's two parts, and which of the images are in the folder.

    Args:
        root: The folder that holds the score file, or its parent.
        seed: Seed of the choice of validation images, stratified by the three details together.

    Raises:
        InputError: If the score file is missing or cannot be read, lacks a sheet or a column, holds a score
            other than 0 and 1, names an image twice, or a disease or number that no photograph can have.
    """
    base = _base(Path(root))
    findings, tables = [], []
    for split, sheet in _SHEETS.items():
        passed = PassedOver()
        table = _read_sheet(base / _LABELS, sheet).assign(split=split)
        table["image_id"] = f"{split}_" + table["stem"]
        images = images_by_stem(base, f"{split}/Original", passed=passed)
        findings += match_images(table, images, split, passed)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    training = table["split"] == "train"
    shares = {"train": 1 - VALIDATION, "val": VALIDATION}
    table.loc[training, "split"] = grouped_stratified_split(
        table[training].assign(patient_id=table["image_id"]), shares, seed, DETAILS
    )
    # Nobody knows who is on a photograph; each stands for a person of its own.
    table = table.assign(patient_id=table["image_id"], eye="unknown", view="unknown", overall=np.nan)
    return Catalogue(
        name="fives",
        root=base,
        table=table.assign(dataset="fives", source="FIVES"),
        n_classes=None,
        citation=CITATION,
        licence=LICENCE,
        findings=(*_assumptions(table), *findings),
        published=PUBLISHED,
    )


def _base(root: Path) -> Path:
    """Return the folder that holds the score file: `root` or the one below it."""
    for folder in (root, root / _FOLDER):
        if find_file(folder, _LABELS).is_file():
            return folder
    raise InputError(f"{root} holds no {_LABELS}; give the folder {_FOLDER}, unpacked (riqa fetch fives)")


def _read_sheet(path: Path, sheet: str) -> pd.DataFrame:
    """Return one row per image of one part: its name without the ending, and the three details."""
    path = find_file(path.parent, path.name)
    labels = read_labels(path, ("Disease", "Number", *COLUMNS), _ADVICE, sheet=sheet)
    letters = labels["Disease"].fillna("").str.upper()
    numbers = pd.to_numeric(labels["Number"], errors="coerce")
    wrong = ~letters.isin(DISEASES) | ~(numbers >= 1) | (numbers % 1 != 0)
    if wrong.any():
        row = wrong.idxmax()
        said = f"Disease {labels['Disease'][row]} and Number {labels['Number'][row]}"
        raise InputError(
            f"{path}: sheet {sheet}, row {row} has {said}; legal: {', '.join(DISEASES)} and whole numbers "
            "from 1; correct it"
        )
    stems = numbers.astype(int).astype(str) + "_" + letters
    refuse_twice(f"{sheet} " + stems, path)
    details = {detail: decode(labels[title], stems, {0: 0, 1: 1}, path) for title, detail in COLUMNS.items()}
    return pd.DataFrame({"stem": stems, **details}).reset_index(drop=True)


def _assumptions(table: pd.DataFrame) -> list[Finding]:
    """Return findings: what was assumed of the code, with its counts, and that patients are unknown."""
    counts = ", ".join(
        f"{title} as {detail}, 1 in {table[detail].sum():.0f}" for title, detail in COLUMNS.items()
    )
    text = (
        "the sheets say neither what the titles mean nor which value is good: 1 is taken for good and "
        f"0 for bad ({counts} of {len(table)} images); a Teacher that ranks these images worse than chance "
        "would speak against it"
    )
    unknown = (
        "there is no patient id: whether photographs of a person lie in several splits cannot be checked"
    )
    return [
        Finding("code-assumed", "warning", text, tuple(COLUMNS)),
        Finding("patients-unknown", "warning", unknown),
    ]
