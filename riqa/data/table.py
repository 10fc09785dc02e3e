"""A user's own photographs: any table of labels, and `dataset.yaml`, which says what is in its columns."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import yaml

from riqa.data.catalogue import Catalogue
from riqa.data.cells import read_text
from riqa.data.findings import Finding
from riqa.data.manifest import EYES, SPLITS, grouped_stratified_split
from riqa.data.named import match_named, without_ending
from riqa.data.set_names import name_trouble
from riqa.data.sheets import read_labels
from riqa.data.walk import as_on_disk, composed
from riqa.errors import InputError
from riqa.labels import DETAILS, class_names
from riqa.yaml_text import parse_yaml

DESCRIPTION = "dataset.yaml"

EXAMPLE = """\
name: clinic                # a letter, then letters, digits, underscores
labels: labels.csv          # or .xlsx, .parquet
n_classes: 3                # of overall; 2: bad, good; 3: reject, usable, good
columns:                    # riqa's name: the table's; image and a label are needed
  image: file               # path below this folder, as far as it tells files apart
  patient_id: patient
  eye: eye                  # left, right or unknown
  #                           also view, source, split (train, val, test)
  overall: grade
  clarity: sharp            # also illumination, contrast
codes:                      # what values mean, unless they are riqa's names or codes
  overall: {A: good, B: usable, C: reject}
  clarity: {yes: good, no: bad}
  eye: {OD: right, OS: left}
citation: our clinic, 2025  # optional, as is the next
licence: not to be shared
"""
"""A description with everything that can be said."""

FRACTIONS = {"train": 0.6, "val": 0.1, "test": 0.3}
"""Shares of the splits when the table has none; where only val is lacking, 0.1 of train is held out."""

_LABELS = ("overall", *DETAILS)
_WORDS = {"eye": EYES, "split": SPLITS}
_TEXTS = ("patient_id", "view", "source")
_KEYS = ("name", "labels", "n_classes", "columns", "codes", "citation", "licence")
_COLUMNS = ("image", *_TEXTS, *_WORDS, *_LABELS)
_HELP = "the example is riqa.data.table.EXAMPLE, also in book/your_photographs.md"


def read_table(root: Path | str, *, seed: int = 0, name: str | None = None) -> Catalogue:
    """Read a user's own table of labels, as `dataset.yaml` beside it describes (see `EXAMPLE`).

    Without a column of patients every image counts as a patient's only one; without one of splits the
    patients are assigned by `FRACTIONS`.

    Args:
        root: Folder with `dataset.yaml`, the table and the photographs.
        seed: Seed of the assignment.
        name: What to call the set, if not as its description does.

    Raises:
        InputError: If the description or the table is missing or wrong, a value lies outside its code, or an
            image is named twice or not below `root`.
    """
    root = Path(root)
    description = read_description(root / DESCRIPTION)
    columns, name = description["columns"], name or description["name"]
    path = as_on_disk(root / description["labels"])
    labels = read_labels(path, list(columns.values()), f"or correct {DESCRIPTION}")
    unnamed = labels.index[labels[columns["image"]].isna()]
    if len(unnamed):
        raise InputError(
            f"{path}: row {unnamed[0]} has nothing in column {columns['image']}, which is no path of an "
            "image; fill it in, or remove the row"
        )
    labels = pd.DataFrame({key: labels[column] for key, column in columns.items()}).reset_index(drop=True)
    table = pd.DataFrame({"named": [_below(image, path) for image in labels["image"]]})
    files = table["named"].map(without_ending)
    stems = files.map(lambda file: PurePosixPath(file).name)
    # The name alone is the shortest, but folders may repeat it, and a folder with another ending.
    table["image_id"] = next((ids for ids in (stems, files) if ids.is_unique), table["named"])
    table["stem"] = table["image_id"]
    if table["stem"].duplicated().any():
        twice = table.loc[table["stem"].duplicated(), "stem"].iloc[0]
        raise InputError(f"{path}: image {twice} is named twice; remove one row")
    meanings = {key: _meaning(key, description) for key in (*_WORDS, *_LABELS) if key in columns}
    for key in (*_TEXTS, *_WORDS, *_LABELS):
        values = labels.get(key, pd.Series(np.nan, labels.index, dtype=object))
        if key in meanings:
            values = _translate(values, meanings[key], table["stem"], f"{path}: column {columns[key]}")
        table[key] = values
    if table[list(_LABELS)].isna().all(axis=None):
        named = ", ".join(columns[key] for key in _LABELS if key in columns)
        raise InputError(f"{path} labels no image: column(s) {named} are empty; fill in what is known")
    table[list(_TEXTS[1:])] = table[list(_TEXTS[1:])].fillna("unknown")
    table["eye"] = table["eye"].fillna("unknown")
    findings = _patients(table)
    findings += match_named(table, root, path, name, own=(DESCRIPTION, description["labels"]))
    findings += _split(table, path, seed)
    return Catalogue(
        name=name,
        root=root,
        table=table.assign(dataset=name),
        n_classes=description["n_classes"],
        citation=description.get("citation", "not given"),
        licence=description.get("licence", "not given"),
        findings=tuple(findings),
    )


def read_description(path: Path) -> dict:
    """Return what `dataset.yaml` says, with `codes` and `n_classes` filled in; every value in it is text.

    Raises:
        InputError: If it is missing, or says what cannot be.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; it names the table of labels and its columns: {_HELP}")
    try:
        # Everything stays text: no, 1 and 2025-01-01 are what the table's cells say.
        description = parse_yaml(read_text(path, _HELP), as_text=True)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML ({' '.join(str(error).split())}); {_HELP}") from None
    if not isinstance(description, dict):
        raise InputError(f"{path} must be a mapping with {', '.join(_KEYS)}; {_HELP}")
    for key in ("name", "labels", "columns"):
        if not description.get(key):
            raise InputError(f"{path} lacks {key}; {_HELP}")
        if key != "columns" and not isinstance(description[key], str):
            raise InputError(f"{path}: {key} must be text; {_HELP}")
    if trouble := name_trouble(description["name"]):
        raise InputError(f"{path}: name: {trouble}")
    description["codes"] = description.get("codes") or {}
    for key, legal in (("columns", _COLUMNS), ("codes", (*_WORDS, *_LABELS))):
        if not isinstance(description[key], dict):
            raise InputError(f"{path}: {key} must be a mapping; {_HELP}")
        _refuse_unknown(description[key], legal, f"{path}: {key}")
    _refuse_unknown(description, _KEYS, str(path))
    columns = description["columns"]
    for key, column in columns.items():
        if not isinstance(column, str) or not column:
            raise InputError(f"{path}: columns: {key} must be the name of a column; {_HELP}")
    if "image" not in columns or not set(_LABELS) & set(columns):
        raise InputError(f"{path}: columns must name image and one of {', '.join(_LABELS)}; {_HELP}")
    n_classes = description.get("n_classes") if "overall" in columns else None
    if "overall" in columns and n_classes not in ("2", "3"):
        raise InputError(f"{path}: n_classes must be 2 or 3 when there is overall, got {n_classes}; {_HELP}")
    description["n_classes"] = int(n_classes) if n_classes else None
    return description


def _refuse_unknown(keys: Mapping, legal: tuple[str, ...], where: str) -> None:
    """Refuse a key that means nothing, which most often is a typing error."""
    unknown = [key for key in keys if key not in legal]
    if unknown:
        raise InputError(f"{where} has the unknown key {unknown[0]}; legal: {', '.join(legal)}")


def _meaning(column: str, description: Mapping) -> dict[str, object]:
    """Return what the values in a column of the table mean: text -> value in the manifest."""
    if column in _WORDS:
        targets = {word: word for word in _WORDS[column]}
    else:
        names = class_names(description["n_classes"] if column == "overall" else 2)
        targets = {name: float(k) for k, name in enumerate(names)}
        targets |= {str(k): float(k) for k in range(len(names))}
    code = description["codes"].get(column)
    if code is None:
        return targets
    if not isinstance(code, dict) or not set(map(str, code.values())) <= set(targets):
        raise InputError(f"{DESCRIPTION}: codes of {column} must map values to {', '.join(targets)}; {_HELP}")
    return {value: targets[str(target)] for value, target in code.items()}


def _translate(values: pd.Series, meaning: Mapping, images: pd.Series, where: str) -> pd.Series:
    """Translate a column; blanks stay missing, case does not count, and 1 may be written as 1.0 or 1,0."""
    alike = {_plain(value): target for value, target in meaning.items()}
    if len(alike) < len(meaning):  # the code tells apart what else is alike
        alike = {}
    cells = values.map(lambda value: meaning.get(value, alike.get(_plain(value))), na_action="ignore")
    wrong = values.notna() & cells.isna()
    if wrong.any():
        image, value = images[wrong].iloc[0], values[wrong].iloc[0]
        raise InputError(
            f"{where}: image {image} has {value}; legal: {', '.join(meaning)}; "
            f"correct it, or codes in {DESCRIPTION}"
        )
    return cells


def _plain(value: str) -> str:
    """Return what a label has in common with others that mean the same."""
    return re.sub(r"[.,]0+$", "", value).casefold()


def _below(image: object, path: Path) -> str:
    """Return an image's path, composed and with slashes; refuse one that is not below the folder."""
    file = PurePosixPath(composed(str(image)).replace("\\", "/")) if pd.notna(image) else PurePosixPath()
    if not file.name or file.is_absolute() or ".." in file.parts or ":" in file.parts[0]:
        raise InputError(
            f"{path}: {image} is no path of an image below the folder of {DESCRIPTION}; correct it"
        )
    return str(file)


def _patients(table: pd.DataFrame) -> list[Finding]:
    """Let every image without a patient stand for one of its own, and say so."""
    unknown = table["patient_id"].isna()
    table["patient_id"] = table["patient_id"].where(~unknown, "image " + table["stem"])
    if not unknown.any():
        return []
    text = (
        f"{unknown.sum()} of {len(table)} images have no patient id, and each counts as a patient's only "
        "one: photographs of one person may lie in different splits"
    )
    return [Finding("patients-unknown", "warning", text)]


def _split(table: pd.DataFrame, path: Path, seed: int) -> list[Finding]:
    """Assign patients to the splits that the table does not give; absent images count, too."""
    given = table["split"].notna()
    strata = [name for name in _LABELS if table[name].notna().any()]
    if not given.any():
        table["split"] = grouped_stratified_split(table, FRACTIONS, seed, strata[:1])
        text = "the table has no split, so patients were assigned to train, val and test, 60, 10 and 30 %"
        return [Finding("own-splits", "info", text)]
    if not given.all():
        raise InputError(f"{path}: image {table.loc[~given, 'stem'].iloc[0]} has no split; fill it in")
    if (table["split"] == "val").any() or not (table["split"] == "train").any():
        return []
    training = table["split"] == "train"
    shares = {"train": 1 - FRACTIONS["val"], "val": FRACTIONS["val"]}
    table.loc[training, "split"] = grouped_stratified_split(table[training], shares, seed, strata[:1])
    return [
        Finding("own-splits", "info", "the table has no val, so a tenth of the training images was held out")
    ]
