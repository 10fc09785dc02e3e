"""A user's own photographs: any table of labels, and `dataset.yaml`, which says what is in its columns.

What can be said there stands, as an example, in book/your_photographs.md. Every value in it is text.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import yaml

from riqa.data.adapters.named import match_named, without_ending
from riqa.data.catalogue import hold_out
from riqa.data.findings import Finding
from riqa.data.manifest import EYES, SPLITS, Dataset, grouped_stratified_split
from riqa.data.set_names import name_trouble
from riqa.data.sheets import read_labels, read_text, refuse
from riqa.data.walk import as_on_disk, composed
from riqa.errors import InputError
from riqa.labels import DETAILS, class_names
from riqa.yaml_text import parse_yaml

DESCRIPTION = "dataset.yaml"

FRACTIONS = {"train": 0.6, "val": 0.1, "test": 0.3}
"""Shares of the splits when the table has none; where only val is lacking, 0.1 of train is held out."""

_LABELS = ("overall", *DETAILS)
_WORDS = {"eye": EYES, "split": SPLITS}
_CODED = (*_WORDS, *_LABELS)
_TEXTS = ["patient_id", "view", "source"]
_KEYS = ("name", "labels", "n_classes", "columns", "codes", "citation", "licence")
_HELP = "an example is in book/your_photographs.md"


def read_table(root: Path, *, seed: int = 0, name: str | None = None) -> Dataset:
    """Read a user's own table of labels, as `dataset.yaml` beside it describes.

    Without a column of patients every image counts as a patient's only one; without one of splits the
    patients are assigned by `FRACTIONS`. The set is called `name`, or as its description says.
    """
    told = read_description(root / DESCRIPTION)
    columns, name = told["columns"], name or told["name"]
    path = as_on_disk(root / told["labels"])
    labels = read_labels(path, list(columns.values()), f"or correct {DESCRIPTION}")
    what = f"has nothing in column {columns['image']}, which is no path of an image; fill it in"
    unnamed = labels.index[labels[columns["image"]].isna()]
    refuse(unnamed, f"{path}: row {{}} {what}, or remove the row")
    labels = pd.DataFrame({key: labels[column] for key, column in columns.items()}).reset_index(drop=True)
    table = pd.DataFrame({"named": [_below(image, path) for image in labels["image"]]})
    files = table["named"].map(without_ending)
    stems = files.map(lambda file: PurePosixPath(file).name)
    # The name alone is the shortest, but folders may repeat it, and a folder with another ending.
    ids = next((ids for ids in (stems, files) if ids.is_unique), table["named"])
    refuse(ids[ids.duplicated()], f"{path}: image {{}} is named twice; remove one row")
    table["image_id"] = table["stem"] = ids
    meanings = {key: _meaning(key, told) for key in _CODED if key in columns}
    for key in (*_TEXTS, *_CODED):
        table[key] = labels.get(key, pd.Series(np.nan, labels.index, dtype=object))
        if key in meanings:
            table[key] = _translate(table[key], meanings[key], ids, f"{path}: column {columns[key]}")
    if table[list(_LABELS)].isna().all(axis=None):
        named = ", ".join(columns[key] for key in _LABELS if key in columns)
        raise InputError(f"{path} labels no image: column(s) {named} are empty; fill in what is known")
    table = table.fillna({"view": "unknown", "source": "unknown", "eye": "unknown"})
    findings = _patients(table)
    findings += match_named(table, root, path, name, own=(DESCRIPTION, told["labels"]))
    findings += _split(table, path, seed)
    terms = [told.get(key, "not given") for key in ("citation", "licence")]
    return Dataset(name, root, table.assign(dataset=name), told["n_classes"], *terms, tuple(findings))


def read_description(path: Path) -> dict:
    """Return what `dataset.yaml` says, else InputError; `codes` and `n_classes` (or None) are filled in."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; it names the table of labels and its columns: {_HELP}")
    try:
        # Everything stays text: no, 1 and 2025-01-01 are what the table's cells say.
        told = parse_yaml(read_text(path, _HELP), as_text=True)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is no YAML ({' '.join(str(error).split())}); {_HELP}") from None
    if trouble := _trouble(told):
        raise InputError(f"{path}{trouble}; {_HELP}")
    n_classes = int(told["n_classes"]) if "overall" in told["columns"] else None
    return told | {"codes": told.get("codes") or {}, "n_classes": n_classes}


def _trouble(told: object) -> str | None:
    """Say what is wrong with a description."""
    if not isinstance(told, dict):
        return f" must be a mapping with {', '.join(_KEYS)}"
    for key in ("name", "labels", "columns"):
        if not told.get(key):
            return f" lacks {key}"
        if key != "columns" and not isinstance(told[key], str):
            return f": {key} must be text"
    if trouble := name_trouble(told["name"]):
        return f": name: {trouble}"
    columns = told["columns"]
    legal = {": columns": ("image", *_TEXTS, *_CODED), ": codes": _CODED, "": _KEYS}
    for where, given in ((": columns", columns), (": codes", told.get("codes") or {}), ("", told)):
        if not isinstance(given, dict):
            return f"{where} must be a mapping"
        if unknown := [key for key in given if key not in legal[where]]:
            return f"{where} has the unknown key {unknown[0]}; legal: {', '.join(legal[where])}"
    for key, column in columns.items():
        if not isinstance(column, str) or not column:
            return f": columns: {key} must be the name of a column"
    if "image" not in columns or not set(_LABELS) & set(columns):
        return f": columns must name image and one of {', '.join(_LABELS)}"
    if "overall" in columns and told.get("n_classes") not in ("2", "3"):
        return f": n_classes must be 2 or 3 when there is overall, got {told.get('n_classes')}"
    return None


def _meaning(column: str, told: Mapping) -> dict[str, object]:
    """Return what the values in a column of the table mean: text -> value in the manifest."""
    if column in _WORDS:
        targets = {word: word for word in _WORDS[column]}
    else:
        names = class_names(told["n_classes"] if column == "overall" else 2)
        targets = {name: float(k) for k, name in enumerate(names)}
        targets |= {str(k): float(k) for k in range(len(names))}
    code = told["codes"].get(column)
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
        said = f"image {images[wrong].iloc[0]} has {values[wrong].iloc[0]}; legal: {', '.join(meaning)}"
        raise InputError(f"{where}: {said}; correct it, or codes in {DESCRIPTION}")
    return cells


def _plain(value: str) -> str:
    """Return what a label has in common with others that mean the same."""
    return re.sub(r"[.,]0+$", "", value).casefold()


def _below(image: str, path: Path) -> str:
    """Return an image's path, composed and with slashes; refuse one that is not below the folder."""
    file = PurePosixPath(composed(image).replace("\\", "/"))
    if not file.name or file.is_absolute() or ".." in file.parts or ":" in file.parts[0]:
        raise InputError(f"{path}: {image} is no path of an image below {DESCRIPTION}'s folder; correct it")
    return str(file)


def _patients(table: pd.DataFrame) -> list[Finding]:
    """Let every image without a patient stand for one of its own, and say so."""
    unknown = table["patient_id"].isna()
    table["patient_id"] = table["patient_id"].where(~unknown, "image " + table["stem"])
    text = f"{unknown.sum()} of {len(table)} images have no patient id, and each counts as a patient's only "
    text += "one: photographs of one person may lie in different splits"
    return [Finding("patients-unknown", "warning", text)] if unknown.any() else []


def _split(table: pd.DataFrame, path: Path, seed: int) -> list[Finding]:
    """Assign patients to the splits that the table does not give; absent images count, too."""
    given = table["split"].notna()
    strata = [name for name in _LABELS if table[name].notna().any()][:1]
    if not given.any():
        table["split"] = grouped_stratified_split(table, FRACTIONS, seed, strata)
        text = "the table has no split, so patients were assigned to train, val and test, 60, 10 and 30 %"
        return [Finding("own-splits", "info", text)]
    refuse(table.loc[~given, "stem"], f"{path}: image {{}} has no split; fill it in")
    if "val" in set(table["split"]) or "train" not in set(table["split"]):
        return []
    hold_out(table, FRACTIONS["val"], seed, strata)
    text = "the table has no val, so a tenth of the training images was held out"
    return [Finding("own-splits", "info", text)]
