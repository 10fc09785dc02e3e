"""Small trees in the exact layout of each publisher, traps included; photographs are noise."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from openpyxl import Workbook
from PIL import Image

FORMATS = {".png": "PNG", ".tif": "TIFF", ".bmp": "BMP"}
EYEQ_RAW = {"good": 0, "usable": 1, "reject": 2}
"""EyeQ's own code: the reverse of riqa's."""

# Images a group of the small MSHF; the archive has 235, 187, 52, 26, 302 in both Local, 500.
MSHF_GROUPS = {"DR-XJU": 6, "DR-ZJU": 5, "Glaucoma": 3, "Healthy": 2, "Local1": 4, "Local2": 4}
MSHF_GROUPS |= {"UWF-mosaic": 5}

DIMENSIONS = ("illumination", "clarity", "contrast", "overall")


def write_image(path: Path, size: tuple[int, int] = (16, 12)) -> None:
    """Write a photograph of noise that is the same for the same name and differs between names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(path.stem.encode()))
    image = Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
    buffer = BytesIO()
    image.save(buffer, FORMATS.get(path.suffix.lower(), "JPEG"))
    path.write_bytes(buffer.getvalue())


def write_eyeq_labels(root: Path, part: str, labels: Mapping[str, str]) -> None:
    """Write a label file of EyeQ: image name without ending -> class name, in EyeQ's reversed code."""
    root.mkdir(parents=True, exist_ok=True)
    codes = [EYEQ_RAW[name] for name in labels.values()]
    frame = pd.DataFrame({"image": [f"{stem}.jpeg" for stem in labels], "quality": codes, "DR_grade": 0})
    frame.to_csv(root / f"Label_EyeQ_{part}.csv")  # the unnamed index is part of the layout


def write_eyeq(root: Path, train: Mapping[str, str], test: Mapping[str, str], images: bool = True) -> Path:
    """Write EyeQ: both label files (stem -> class name), and the photographs of both parts."""
    for part, labels in (("train", train), ("test", test)):
        write_eyeq_labels(root, part, labels)
        for stem in labels if images else ():
            write_image(root / part / f"{stem}.jpeg")
    return root


def small_eyeq(root: Path) -> Path:
    """Write EyeQ with 20 training patients from 100 on and 8 test patients from 200 on, both eyes each."""
    classes = ("good", "good", "usable", "reject") * 10
    parts = [
        [f"{p}_{eye}" for p in part for eye in ("left", "right")]
        for part in (range(100, 120), range(200, 208))
    ]
    return write_eyeq(root, *(dict(zip(stems, classes, strict=False)) for stems in parts))


def write_eyeq_d(root: Path, rows: Iterable[tuple[str, int, int, int, int]]) -> Path:
    """Write the label file of EyeQ-D: file_name, overall_quality (0 reject .. 2 good), three details."""
    root.mkdir(parents=True, exist_ok=True)
    columns = ["file_name", "overall_quality", "illumination", "clarity", "contrast"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "EyeQ-D-Quality-Details.csv", index=False)
    return root


def mshf_names(groups: Mapping[str, int] = MSHF_GROUPS) -> list[str]:
    """Return the names, with ending, that the score sheets of MSHF list."""
    return [f"{group}-{k}.jpg" for group, n in groups.items() for k in range(1, n + 1)]


def mshf_scores(names: Sequence[str]) -> dict[str, np.ndarray]:
    """Draw what three experts said of every image: name -> (3 experts, 4 dimensions) of 0 and 1."""
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 2, (3, 4)) for name in names}


def write_mshf(
    root: Path,
    *,
    groups: Mapping[str, int] = MSHF_GROUPS,
    scores: Mapping[str, np.ndarray] | None = None,
    agreed: Mapping[str, Sequence[int]] | None = None,
    order: Sequence[str] = DIMENSIONS,
    png_in_ai_use: Sequence[str] = ("DR-XJU-2", "DR-XJU-3"),
    folder: str = "MSHF dataset 2.0",
) -> Path:
    """Write MSHF as published below `root`, and return the folder that holds the label files.

    `scores` are the experts', `agreed` those in the order of `DIMENSIONS`, their majority by default; `order`
    that of the columns in both sheets. Every fifth image of a group is a test image; those of `png_in_ai_use`
    are .png there and .jpg in Original. A `folder` of "" is `root`.
    """
    base = root / folder
    base.mkdir(parents=True, exist_ok=True)
    names = mshf_names(groups)
    scores = mshf_scores(names) if scores is None else scores
    if agreed is None:
        agreed = {name: (scores[name].sum(axis=0) >= 2).astype(int) for name in names}
    columns = [DIMENSIONS.index(name) for name in order]
    titles = ["Overall" if name == "overall" else name for name in order]
    _write_readers(base / "Individual_scores.xlsx.xlsx", scores, titles, columns)
    _write_agreed(base / "MSHF_quality_scores.xlsx", groups, agreed, titles, columns)
    for group, n in groups.items():
        size = (12, 9) if group == "DR-XJU" else (40, 32)
        for k in range(1, n + 1):
            stem, part = f"{group}-{k}", "test" if k % 5 == 0 else "train"
            suffix = ".png" if stem in png_in_ai_use else ".jpg"
            write_image(base / "Original" / group / f"{stem}.jpg", size)
            write_image(base / "AI-use" / part / f"{stem}{suffix}", size)
    return base


def _write_readers(path: Path, scores, titles, columns) -> None:
    """Write the two-line header and the readers in B-E, G-J and L-O; F and K stay blank."""
    book = Workbook()
    sheet = book.active
    sheet.append(["image name", "annotator 1", *[None] * 4, "annotator 2", *[None] * 4, "annotator 3"])
    sheet.append([None, *titles, None, *titles, None, *titles])
    for name, table in scores.items():
        one, two, three = ([int(row[c]) for c in columns] for row in table)
        sheet.append([name, *one, None, *two, None, *three])
    book.save(path)


def _write_agreed(path: Path, groups, agreed, titles, columns) -> None:
    """Write one sheet per group; the one of DR-ZJU is the all-zero table that lists every image."""
    book = Workbook()
    book.remove(book.active)
    for group in groups:
        sheet = book.create_sheet(group)
        if group == "DR-ZJU":
            sheet.append(["image name", "gold standard"])
            sheet.append([None, *titles])
            for name in mshf_names(groups):
                sheet.append([name, 0, 0, 0, 0])
            continue
        sheet.append(["image name", *titles])
        for name in agreed:
            if name.startswith(f"{group}-"):
                sheet.append([name, *(int(agreed[name][c]) for c in columns)])
    book.save(path)


DEEPDRID_PARTS = {
    "train": ("regular-fundus-training", "regular-fundus-training.csv"),
    "val": ("regular-fundus-validation", "regular-fundus-validation.csv"),
    "test": ("Online-Challenge1&2-Evaluation", "Challenge2_labels.xlsx"),
}

DEEPDRID_MISNAMED = {
    56: {"l": ("l1", "r3"), "r": ("l3", "r2")},
    164: {"l": ("r1", "l3"), "r": ("r3", "r4")},
    167: {"l": ("r3", "l2"), "r": ("l3", "r2")},
}
"""Patients whose names contradict the graded eye: graded eye -> its views (names as published)."""


DEEPDRID_TITLES = ["patient_id", "image_id", "image_path", "Overall quality", "left_eye_DR_Level"]
DEEPDRID_TITLES += ["right_eye_DR_Level", "patient_DR_Level", "Clarity", "Field definition", "Artifact"]


def deepdrid_rows(patients: Iterable[int], seed: int = 0) -> pd.DataFrame:
    """Draw labels of patients with two views per eye; overall belongs to the eye, sub-scores to the view.

    The traps by patient: 77 has views 3-4; 56, 164 and 167 have names that contradict the graded eye.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for patient in patients:
        first = 3 if patient == 77 else 1
        plain = {eye: (f"{eye}{first}", f"{eye}{first + 1}") for eye in "lr"}
        for graded, views in DEEPDRID_MISNAMED.get(patient, plain).items():
            overall = int(graded == "r") if patient in DEEPDRID_MISNAMED else int(rng.integers(0, 2))
            for view in views:
                levels = [1 if graded == eye else None for eye in "lr"]
                scores = [int(rng.choice([*lowest, 4, 6, 8, 10])) for lowest in ([1], [1], [0, 1])]
                rows.append([patient, f"{patient}_{view}", "", overall, *levels, None, *scores])
    return pd.DataFrame(rows, columns=DEEPDRID_TITLES)


def write_deepdrid(root: Path, parts: Mapping[str, pd.DataFrame] | None = None) -> Path:
    """Write DeepDRiD's folder regular_fundus_images, and return it; `parts` are `deepdrid_rows` by split."""
    if parts is None:
        patients = {"train": [1, 2, 27, 56, 77], "val": [301, 330], "test": [347, 348]}
        parts = {part: deepdrid_rows(ids, k) for k, (part, ids) in enumerate(patients.items())}
    base = root / "regular_fundus_images"
    for part, rows in parts.items():
        folder, name = DEEPDRID_PARTS[part]
        (base / folder).mkdir(parents=True, exist_ok=True)
        if part == "test":
            columns = ["image_id", "Overall quality", "Artifact", "Clarity", "Field definition"]
            rows[columns].to_excel(base / folder / name, index=False)
        else:
            # As published: backslashes, and no Images\ in between.
            paths = [f"\\{folder}\\{r.patient_id}\\{r.image_id}.jpg" for r in rows.itertuples()]
            rows.assign(image_path=paths).to_csv(base / folder / name, index=False)
        for row in rows.itertuples():
            write_image(base / folder / "Images" / str(row.patient_id) / f"{row.image_id}.jpg")
    return base


FIVES_ROWS = {
    "train": [("ADGN"[k // 5], k + 1, k % 2, 1, int(k % 5 > 0)) for k in range(20)],
    "test": [("A", 1, 0, 1, 1), ("D", 2, 1, 1, 0), ("G", 3, 0, 0, 0), ("N", 4, 1, 0, 1)],
}
"""Rows of the small FIVES by split: disease, number, and 0 or 1 for IC, Blur and LC."""


def write_fives(
    root: Path,
    rows: Mapping[str, Sequence[tuple]] = FIVES_ROWS,
    *,
    titles: Sequence[str] = ("Disease", "Number", "IC", "Blur", "LC"),
    sheets: Sequence[str] = ("Train", "Test"),
    images: bool = True,
    folder: str = "FIVES A Fundus Image Dataset for AI-based Vessel Segmentation",
) -> Path:
    """Write FIVES as public programs read it, and return the folder that holds the score file.

    `rows` are by split, in the order of `sheets`; `titles` head both of these. A `folder` of "" is `root`.
    """
    base = root / folder
    base.mkdir(parents=True, exist_ok=True)
    book = Workbook()
    book.remove(book.active)
    for (split, table), name in zip(rows.items(), sheets, strict=True):
        sheet = book.create_sheet(name)
        for row in (titles, *table):
            sheet.append(list(row))
        for letter, number, *_ in table if images else ():
            # The numbers begin anew in each part, and a photograph of noise depends on its name alone.
            image = base / split / "Original" / f"{number}_{letter}.png"
            own = image.with_name(f"{split}_{image.name}")
            write_image(own, (40, 40))
            own.rename(image)
            write_image(base / split / "Ground truth" / image.name, (40, 40))
    if images:
        (base / "train" / "Original" / "Thumbs.db").write_bytes(b"no image")
    book.save(base / "Quality Assessment.xlsx")
    return base


TABLE_YAML = """\
name: clinic
labels: labels.csv
n_classes: 3
columns: {image: photo, patient_id: person, eye: side, source: camera, overall: grade, clarity: sharp}
codes:
  overall: {A: good, B: usable, C: reject}
  clarity: {yes: good, no: bad}
  eye: {OD: right, OS: left}
licence: ours
"""


def write_table(root: Path, n: int = 20) -> Path:
    """Write a user's own folder: dataset.yaml, labels.csv and photographs of `n` patients, two eyes each."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.yaml").write_text(TABLE_YAML, encoding="utf-8")
    rows = []
    for patient in range(n):
        camera, sharp = ("one", "yes") if patient % 2 else ("two", "no")
        for side, eye in (("R", "OD"), ("L", "OS")):
            photo = f"photos/{patient:03d}{side}"
            rows.append([photo, f"p{patient}", eye, camera, "ABC"[patient % 3], sharp])
            write_image(root / f"{photo}.jpg")
    titles = ["photo", "person", "side", "camera", "grade", "sharp"]
    pd.DataFrame(rows, columns=titles).to_csv(root / "labels.csv", index=False)
    return root
