"""EyeQ and EyeQ-D: photographs of the EyePACS competition, the paper's overall set in three classes.

EyeQ is overall quality (Fu et al., MICCAI 2019; section 3.1 of the paper). Labels come from the EyeQ
repository, images from Kaggle's "diabetic-retinopathy-detection"; the folder is

    Label_EyeQ_train.csv  Label_EyeQ_test.csv   header ",image,quality,DR_grade"
    train/<patient>_<eye>.jpeg   test/<patient>_<eye>.jpeg   (or .jpg, .png; any part of the images)

Beware: the label files say 0 = good, 1 = usable, 2 = reject, the reverse of the code used here.

EyeQ-D is details of 160 of its test images, by majority of odd panels of eight experts (section 3.1).
Released with the paper (ltelesco/Semi-Supervised-Multi-Task-Learning-...); the folder is

    EyeQ-D-Quality-Details.csv   file_name, overall_quality, illumination, clarity, contrast (or in data/)
    test/ or images/             the photographs, which are EyeQ's; the folder eyeq/test beside it will do

Its code is that of `riqa.labels` already. Overall quality is EyeQ's label reversed in all 160 rows, so it is
no second opinion. The single experts' labels were never released.
"""

from pathlib import Path

import pandas as pd

from riqa.data.catalogue import hold_out
from riqa.data.findings import Finding, found
from riqa.data.images import images_by_stem, match_images
from riqa.data.manifest import Dataset, grouped_stratified_split
from riqa.data.published import COUNTS, TERMS
from riqa.data.sheets import decode, find_file, read_labels, refuse, refuse_twice
from riqa.data.walk import PassedOver
from riqa.errors import InputError
from riqa.labels import DETAILS, class_names

_CODE = {0: 2, 1: 1, 2: 0}  # EyeQ's -> that of riqa.labels
_UNREADABLE = ("15337_left", "40764_right", "13227_left", "26250_left", "5371_left")
_EYEQ_D = "EyeQ-D-Quality-Details.csv"
_EYEQ_D_PLACES = ("", "data", "../eyeq-d", "../eyeq-d/data", "../eyeq_d", "../eyeq_d/data")
_NAMED = r"^(?P<patient_id>\d+)_(?P<eye>left|right)$"
_ADVICE = "download it again from the EyeQ repository (HzFu/EyeQ, data/)"


def read_eyeq(root: Path, *, seed: int = 0) -> Dataset:
    """Read EyeQ's labels, and which of their images are in the folder; any part of them will do.

    With images of both parts, EyeQ's own test set is the test split, and a tenth of the training images are
    the validation split: the paper holds out 1,254 images, 10 %, and does not say whether by patient, as is
    done here. With training images alone, as in the thumbnails that are shared publicly, the patients whose
    images are there are assigned to train, val and test, 60, 10 and 30 %.
    """
    if not root.is_dir():
        raise InputError(f"{root} does not exist or is no folder; give the folder with the EyeQ label files")
    if not any(root.iterdir()):
        raise InputError(f"{root} is empty; put Label_EyeQ_train.csv and the folder train/ of images there")
    text = "the label files say 0 for good and 2 for reject; they are turned into 0 reject .. 2 good"
    findings, parts = [Finding("code-reversed", "info", text)], []
    for part in ("train", "test"):
        labels, passed = root / f"Label_EyeQ_{part}.csv", PassedOver()
        images = images_by_stem(root, part, passed)
        if part == "test" and not labels.is_file() and not images:
            continue  # the training half alone is enough
        table = read_label_file(labels).assign(split=part)
        findings += flipped_by_counts(table["overall"], part) + match_images(table, images, part, passed)
        parts.append(table)
    table = pd.concat(parts, ignore_index=True).assign(dataset="eyeq", view="unknown", source="EyePACS")
    places = [find_file(root / place, _EYEQ_D) for place in _EYEQ_D_PLACES]
    for path in [path for path in places if path.is_file()][:1]:
        truth = read_labels(path, ("file_name", "overall_quality"), "download it again, or move it away")
        theirs = pd.to_numeric(truth["overall_quality"], errors="coerce").set_axis(truth["file_name"])
        findings += _compare_with_eyeq_d(table.set_index("stem")["overall"], theirs)
    there, training = table["path"].notna(), table["split"] == "train"
    text = "{n} of the images are known to fail in the preprocessing of the EyeQ repository"
    known = table.loc[there & table["stem"].isin(_UNREADABLE), "stem"]
    findings += found("preprocessing-fails", "info", known, text)
    if (there & ~training).any() or not there.any():
        # Assigned before absent images are left out, so that a fuller download moves nobody to another split.
        hold_out(table, 0.1, seed)
    else:
        table, there = table[training].copy(), there[training]
        shares = {"train": 0.6, "val": 0.1, "test": 0.3}
        table.loc[there, "split"] = grouped_stratified_split(table[there], shares, seed)
        text = "there is no test image, so the training patients that are there were assigned to three splits"
        text += "; scores do not compare with published ones"
        findings.append(Finding("own-splits", "warning", text))
    return Dataset("eyeq", root, table, 3, *TERMS["eyeq"], tuple(findings))


def read_eyeq_d(root: Path, *, seed: int = 0) -> Dataset:
    """Read EyeQ-D's labels, all of them test, and which images are in the folder or in EyeQ's beside it."""
    if not root.is_dir():
        raise InputError(f"{root} does not exist or is no folder; give the folder with {_EYEQ_D}")
    path = find_file(root, _EYEQ_D)
    if not path.is_file() and (root / "data").is_dir():
        path = find_file(root / "data", _EYEQ_D)
    columns = {"overall_quality": 3} | dict.fromkeys(DETAILS, 2)  # number of classes
    labels = read_labels(path, ("file_name", *columns), "download it from the paper's repository (data/)")
    stems = labels["file_name"].fillna("").map(lambda name: Path(name).stem)
    table = _split_names(stems, path)
    for column, n in columns.items():
        table[column] = decode(labels[column], stems, {code: code for code in range(n)}, path)
    table = table.rename(columns={"overall_quality": "overall"})
    table = table.assign(dataset="eyeq_d", view="unknown", source="EyePACS", split="test")
    images, passed = {}, PassedOver()
    for place in ("test", "images", "../eyeq/test"):  # the first one that has an image counts
        images = images_by_stem(root, place, passed) | images
    images = {stem: images[stem] for stem in stems if stem in images}  # the rest of EyeQ needs no label
    text = "overall quality is EyeQ's own label, reversed: agreement with EyeQ is no evidence for either"
    findings = match_images(table, images, "EyeQ-D", passed)
    findings.append(Finding("overall-not-independent", "info", text))
    beside = [find_file(root / place, "Label_EyeQ_test.csv") for place in ("", "../eyeq")]
    for path in [path for path in beside if path.is_file()][:1]:
        overall = read_label_file(path).set_index("stem")["overall"]
        findings += _compare_with_eyeq_d(overall, table.set_index("stem")["overall"])
    return Dataset("eyeq_d", root, table, 3, *TERMS["eyeq_d"], tuple(findings))


def read_label_file(path: Path) -> pd.DataFrame:
    """Read one of EyeQ's label files: image_id, stem, patient_id, eye, overall in riqa's code."""
    labels = read_labels(path, ("image", "quality"), _ADVICE)
    stems = labels["image"].fillna("").map(lambda name: Path(name).stem)
    overall = decode(labels["quality"], stems, _CODE, path)
    return _split_names(stems, path).assign(overall=overall)


def _split_names(stems: pd.Series, path: Path) -> pd.DataFrame:
    """Return image_id, stem, patient_id and eye of images of EyePACS; refuse other names and doubles."""
    parts = stems.str.extract(_NAMED)
    odd = f"{path}: image {{}} is not named <patient>_<left or right>; correct the name"
    refuse(stems[parts["eye"].isna()], odd)
    refuse_twice(stems, path)
    return parts.assign(image_id=stems, stem=stems)


def flipped_by_counts(overall: pd.Series, part: str) -> list[Finding]:
    """Find a complete label file ("train" or "test") whose published numbers of classes are in reverse."""
    counts = [int((overall == code).sum()) for code in range(3)]
    if counts[::-1] != [COUNTS["eyeq"][part][name] for name in class_names(3)]:
        return []
    name = f"Label_EyeQ_{part}.csv"
    text = f"{name} was already flipped: it says 2 of {counts[0]} images, as many as are good; {_ADVICE}"
    return [Finding("labels-already-flipped", "error", text, (name,))]


def _compare_with_eyeq_d(overall: pd.Series, reference: pd.Series) -> list[Finding]:
    """Compare labels of EyeQ and EyeQ-D by stem, in one code; published, they agree in all 160."""
    both = overall.index.intersection(reference.index)
    ours, theirs, n = overall[both], reference[both], len(both)
    agree, flipped = int((ours == theirs).sum()), int((2 - ours == theirs).sum())
    if flipped > agree:
        text = f"EyeQ's labels were already flipped: {flipped} of {n} equal EyeQ-D's as they stand, "
        text += f"{agree} after turning them; {_ADVICE}"
        return [Finding("labels-already-flipped", "error", text)]
    if agree == n:
        text = f"all {n} labels of images that EyeQ-D has agree with it once they are turned"
        return [Finding("labels-agree-with-eyeq-d", "info", text)] if n else []
    text = f"{{n}} of {n} labels differ from those of EyeQ-D; published, none does"
    return found("labels-unlike-eyeq-d", "warning", both[ours != theirs], text)
