"""MSHF: three details and overall quality, judged by three experts (Jin et al., Scientific Data 2023).

The paper's details set: its Teacher learns from it (section 3.1). The folder, from figshare (21507564), is

    MSHF dataset 2.0/
      Original/<group>/<group>-N.jpg   groups DR-XJU, DR-ZJU, Glaucoma, Healthy, Local1, Local2, UWF-mosaic
      AI-use/{train,test}/             the official split of all 1,302 images
      Individual_scores.xlsx.xlsx      0 or 1 by three experts: the four dimensions once per expert, under
                                       two header lines, blank columns between
      MSHF_quality_scores.xlsx         0 or 1 as they agreed, one sheet per group

The paper leaves out the 500 ultra-wide-field mosaics; 642 images for training and 160 for testing remain.

Beware: the agreed sheet of DR-ZJU is an all-zero table of all images, names differ in their ending between
folders, and DR-XJU is published at thumbnail size with a cut field of view. Overall quality is binary.
"""

from pathlib import Path

import pandas as pd

from riqa.data.catalogue import all_strangers, hold_out
from riqa.data.findings import Finding, found
from riqa.data.images import images_by_stem, match_images
from riqa.data.manifest import Dataset, grouped_stratified_split
from riqa.data.published import COUNTS, TERMS, VALIDATION
from riqa.data.sheets import decode, find_file, read_sheets, refuse
from riqa.data.walk import PassedOver
from riqa.errors import InputError
from riqa.labels import DETAILS

_DIMENSIONS = [*DETAILS, "overall"]  # what was scored, as items of ratings and as columns of a manifest
_GROUPS = ("DR-XJU", "DR-ZJU", "Glaucoma", "Healthy", "Local1", "Local2", "UWF-mosaic")
_ULTRA_WIDE = "UWF-mosaic"
_READERS = ("Individual_scores.xlsx.xlsx", "Individual_scores.xlsx")
_AGREED = "MSHF_quality_scores.xlsx"
_FOLDER = "MSHF dataset 2.0"
_ADVICE = "download MSHF dataset 2.0 again from figshare (21507564)"
_TITLES = {**{name: name for name in _DIMENSIONS}, "overall quality": "overall", "quality": "overall"}
_NAME_TITLES = ("image name", "image", "name", "file name")
_HEADER_LINES = 5  # lines of a sheet in which the header is looked for


def read_mshf(root: Path, *, seed: int = 0) -> Dataset:
    """Read the scores, the official split, and which of the images are in the folder or in the one below it.

    A label is what MSHF's readers agreed on, or, where the agreed sheet has no score, their majority. Without
    the folder AI-use the images are assigned to parts as large as the official ones. Of the training part 65
    images in 642 are held out, stratified by the three details together; the paper does not say how.
    """
    folders = [root, root / _FOLDER]
    holds = [folder for folder in folders for n in (*_READERS, _AGREED) if find_file(folder, n).is_file()]
    if not holds:
        raise InputError(f"{root} holds neither {_READERS[0]} nor {_AGREED}; give the folder {_FOLDER}")
    base = holds[0]
    ratings = _read_readers(find_file(base, *_READERS))
    agreed, findings = _read_agreed(find_file(base, _AGREED))
    majority = ratings.groupby(["image_id", "item"])["score"].mean().unstack()
    majority = (majority > 0.5).astype(float).where(majority.notna() & (majority != 0.5))
    stems = pd.Index(dict.fromkeys([*ratings["image_id"], *agreed.index]))
    groups = pd.Series(stems, stems).map(_group)
    odd = f"{base}: image {{}} is of no known group ({', '.join(_GROUPS)}); correct its name"
    refuse(groups.index[groups.isna()], odd)
    if n_wide := (groups == _ULTRA_WIDE).sum():
        text = f"{n_wide} ultra-wide-field mosaics are left out, as in the paper (section 3.1)"
        findings.append(Finding("ultra-wide-left-out", "info", text))
    groups = groups[groups != _ULTRA_WIDE]
    labels = agreed.reindex(groups.index).combine_first(majority.reindex(groups.index))[_DIMENSIONS]
    findings += _compare(agreed, majority, labels)
    table = labels.rename_axis("image_id").reset_index()
    table = table.assign(stem=groups.index, source=groups.to_numpy(), dataset="mshf")
    findings += [*all_strangers(table), *_find_images(base, table), *_split(base, table, seed)]
    ratings = ratings[ratings["image_id"].isin(groups.index)].reset_index(drop=True)
    return Dataset("mshf", base, table, 2, *TERMS["mshf"], tuple(findings), ratings)


def _group(stem: str) -> str | None:
    """Return the group that an image's name begins with, or None."""
    return next((group for group in _GROUPS if stem.casefold().startswith(f"{group}-".casefold())), None)


def _read_readers(path: Path) -> pd.DataFrame:
    """Return image_id, rater (reader_1 ...), item, score (0 bad, 1 good), session (1); none where blank."""
    sheet, cells = next(iter(read_sheets(path, _ADVICE).items()))
    header, columns = _header(cells)
    counts = {name: len(columns[name]) for name in _DIMENSIONS}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        told = ", ".join(f"{name} {n} times" for name, n in counts.items())
        raise InputError(f"{path}: sheet {sheet} must name each dimension once per expert: {told}; {_ADVICE}")
    scores = _scores(cells, header, columns, path)
    long = scores.melt(var_name=["item", "rater"], value_name="score", ignore_index=False).reset_index()
    long = long.assign(rater="reader_" + long["rater"].astype(str), session=1)
    return long[["image_id", "rater", "item", "score", "session"]].dropna(subset="score", ignore_index=True)


def _read_agreed(path: Path) -> tuple[pd.DataFrame, list[Finding]]:
    """Return what was agreed, one column per dimension, by image, and what was skipped."""
    parts, findings = [pd.DataFrame(columns=_DIMENSIONS, dtype=float).rename_axis("image_id")], []
    for sheet, cells in read_sheets(path, _ADVICE).items():
        if cells.dropna(how="all").empty:
            continue
        if _all_zero(sheet, cells):
            text = f"{path.name}: sheet {sheet} is an all-zero table that lists images of other groups too"
            text += "; it is no agreed score and is not used"
            findings.append(Finding("all-zero-sheet", "info", text, (str(sheet),)))
            continue
        header, columns = _header(cells)
        missing = [name for name in _DIMENSIONS if len(columns[name]) != 1]
        refuse(missing, f"{path}: sheet {sheet} must have one column {{}}; {_ADVICE}")
        parts.append(_scores(cells, header, columns, path).droplevel(1, axis=1))
    agreed = pd.concat(parts).dropna(how="all")
    several = agreed.groupby(level=0).nunique().max(axis=1) > 1
    text = f"{path}: image {{}} has different scores in two sheets; correct one of them"
    refuse(several.index[several], text)
    return agreed.groupby(level=0, sort=False).first(), findings


def _header(cells: pd.DataFrame) -> tuple[int, dict[str, list[int]]]:
    """Return the header's line (-1 if none names a dimension), and where each dimension's columns are."""
    lines = [(-1, {name: [] for name in _DIMENSIONS})]
    for line, row in cells[:_HEADER_LINES].iterrows():
        titles = [_TITLES.get(" ".join(str(cell).split()).casefold()) for cell in row]
        lines.append((line, {name: [k for k, t in enumerate(titles) if t == name] for name in _DIMENSIONS}))
    return max(lines, key=lambda pair: sum(map(len, pair[1].values())))


def _scores(cells: pd.DataFrame, header: int, columns: dict[str, list[int]], path: Path) -> pd.DataFrame:
    """Return the scores below the header, by image and (dimension, expert from 1 on), NaN where blank."""
    rows = cells.iloc[header + 1 :].dropna(subset=0)
    stems = rows[0].astype(str).str.strip().map(lambda name: Path(name).stem).rename("image_id")
    named = ~stems.str.casefold().isin(_NAME_TITLES)
    rows, stems = rows[named], stems[named]
    refuse(stems[stems.duplicated()], f"{path}: image {{}} is listed twice in one sheet; remove one row")
    scores = {
        (name, k): decode(rows[column].rename(name), stems, {0: 0, 1: 1}, path, blank=True)
        for name in _DIMENSIONS
        for k, column in enumerate(columns[name], start=1)
    }
    return pd.DataFrame(scores).set_index(stems)


def _all_zero(sheet: str, cells: pd.DataFrame) -> bool:
    """Recognise the table in the place of the scores of DR-ZJU: only zeros, images of every group."""
    numbers = pd.to_numeric(cells.iloc[:, 1:].stack(), errors="coerce").dropna()
    names = cells.iloc[:, 0].dropna().astype(str)
    own = names.str.casefold().str.startswith(f"{sheet}-".casefold())
    return len(numbers) > 0 and not numbers.any() and bool((names.str.contains("-") & ~own).any())


def _compare(agreed: pd.DataFrame, majority: pd.DataFrame, labels: pd.DataFrame) -> list[Finding]:
    """Return findings on the experts' majority, where it differs from the agreed scores, and missing ones."""
    both = agreed.index.intersection(labels.index).intersection(majority.index)
    one, other = agreed.loc[both, _DIMENSIONS], majority.loc[both, _DIMENSIONS]
    differ = both[((one != other) & one.notna() & other.notna()).any(axis=1)]
    alone = [stem for stem in labels.index if stem not in agreed.index]
    text = "{n} images have no agreed score; the majority of the three experts is their label"
    unlike = "{n} images have agreed scores unlike the experts' majority; the agreed ones are used"
    lacking = "{n} images lack a score of a quality; it stays unknown"
    unknown = labels.index[labels.isna().any(axis=1)]
    return [
        *found("readers-majority", "info", alone, text),
        *found("agreed-unlike-majority", "info", differ, unlike),
        *found("scores-missing", "warning", unknown, lacking),
    ]


def _find_images(base: Path, table: pd.DataFrame) -> list[Finding]:
    """Fill `path` and `official`, the split by the folder; files in Original come before those in AI-use."""
    folders, passed = ("Original", "AI-use/train", "AI-use/test"), PassedOver()
    original, train, test = (images_by_stem(base, name, passed, nested=True) for name in folders)
    used = train | test
    images = {stem: paths for stem, paths in (used | original).items() if _group(stem) != _ULTRA_WIDE}
    findings = match_images(table, images, "MSHF", passed)
    table["official"] = table["stem"].map(dict.fromkeys(train, "train") | dict.fromkeys(test, "test"))
    shared = sorted(set(original) & set(used) & set(images))
    unlike = [stem for stem in shared if Path(original[stem][0]).suffix != Path(used[stem][0]).suffix]
    text = "{n} images have another ending in AI-use than in Original; names are joined by stem"
    findings += found("endings-differ", "info", unlike, text)
    both = sorted(set(train) & set(test))
    text = f"{{n}} images lie in AI-use/train and in AI-use/test, e.g. {{first}}; {_ADVICE}"
    return findings + found("images-in-two-splits", "error", both, text)


def _split(base: Path, table: pd.DataFrame, seed: int) -> list[Finding]:
    """Fill `split`: the official one if it is there, else a drawn one; then hold out validation images."""
    n_train, n_test = (COUNTS["mshf"][part]["all"] for part in ("train", "test"))
    if table["official"].notna().any():
        table["split"] = table["official"]
        lost = table["split"].isna()
        text = "{n} images are not in AI-use, so their split is unknown; they are left out"
        findings = found("split-unknown", "warning", table.loc[lost, "stem"], text)
        table.loc[lost, "path"] = None
    else:
        shares = {"train": n_train / (n_train + n_test), "test": n_test / (n_train + n_test)}
        table["split"] = grouped_stratified_split(table, shares, seed, DETAILS)
        text = f"{base / 'AI-use'} is not there, so the images were assigned to parts of the official sizes"
        text += "; scores do not compare with published ones"
        findings = [Finding("own-splits", "warning", text)]
    hold_out(table, VALIDATION / n_train, seed, DETAILS)
    return findings
