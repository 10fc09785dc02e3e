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

from riqa.data.catalogue import all_strangers, hold_out
from riqa.data.findings import Finding
from riqa.data.images import images_by_stem, match_images
from riqa.data.manifest import Dataset
from riqa.data.published import TERMS
from riqa.data.sheets import decode, find_file, read_labels, refuse_twice
from riqa.data.walk import PassedOver
from riqa.errors import InputError
from riqa.labels import DETAILS

_COLUMNS = {"IC": "illumination", "Blur": "clarity", "LC": "contrast"}  # what a title is taken for
_DISEASES = ("A", "D", "G", "N")  # age-related macular degeneration, diabetic retinopathy, glaucoma, normal
_LABELS = "Quality Assessment.xlsx"
_FOLDER = "FIVES A Fundus Image Dataset for AI-based Vessel Segmentation"
_ADVICE = "download FIVES again from figshare (19688169)"


def read_fives(root: Path, *, seed: int = 0) -> Dataset:
    """Read the scores, the two parts, and which of the images are in the folder or in the one below it.

    A tenth of the training images is held out, as the paper does of its sets, stratified by the three details
    together; the publisher holds out none.
    """
    files = [find_file(folder, _LABELS) for folder in (root, root / _FOLDER)]
    path = next((file for file in files if file.is_file()), None)
    if path is None:
        raise InputError(f"{root} holds no {_LABELS}; give the folder {_FOLDER}, unpacked (riqa fetch fives)")
    findings, tables = [], []
    for split in ("train", "test"):
        table, passed = _read_sheet(path, split.title()).assign(split=split), PassedOver()
        table["image_id"] = f"{split}_" + table["stem"]
        images = images_by_stem(path.parent, f"{split}/Original", passed)
        findings += match_images(table, images, split, passed)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True).assign(overall=np.nan, dataset="fives", source="FIVES")
    counts = [f"{title} as {name}, 1 in {table[name].sum():.0f}" for title, name in _COLUMNS.items()]
    text = (
        "the sheets say neither what the titles mean nor which value is good: 1 is taken for good and 0 for "
        f"bad ({', '.join(counts)} of {len(table)} images); a Teacher that ranks these images worse than "
        "chance would speak against it"
    )
    assumed = Finding("code-assumed", "warning", text, tuple(_COLUMNS))
    findings = (assumed, *all_strangers(table), *findings)
    hold_out(table, 0.1, seed, DETAILS)
    return Dataset("fives", path.parent, table, None, *TERMS["fives"], findings)


def _read_sheet(path: Path, sheet: str) -> pd.DataFrame:
    """Return one row per image of one part: its name without the ending, and the three details."""
    labels = read_labels(path, ("Disease", "Number", *_COLUMNS), _ADVICE, sheet=sheet)
    letters = labels["Disease"].fillna("").str.upper()
    numbers = pd.to_numeric(labels["Number"], errors="coerce")
    wrong = ~letters.isin(_DISEASES) | ~(numbers >= 1) | (numbers % 1 != 0)
    if wrong.any():
        row, legal = wrong.idxmax(), f"{', '.join(_DISEASES)} and whole numbers from 1"
        said = f"Disease {labels['Disease'][row]} and Number {labels['Number'][row]}"
        raise InputError(f"{path}: sheet {sheet}, row {row} has {said}; legal: {legal}; correct it")
    stems = numbers.astype(int).astype(str) + "_" + letters
    refuse_twice(f"{sheet} " + stems, path)
    details = {name: decode(labels[title], stems, {0: 0, 1: 1}, path) for title, name in _COLUMNS.items()}
    return pd.DataFrame({"stem": stems, **details}).reset_index(drop=True)
