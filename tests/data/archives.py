"""The paper's four archives and FIVES in miniature, in their publishers' layouts: labels, traps, drawings.

Photographs are phantoms whose defects follow their labels, so that fields of view are found and there is
something to learn. What the archives are known for is in them: see `tests.data.layouts`, and `TRAPS` here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from riqa.phantom.photograph import Exposure, render_clean
from tests.data import layouts

WIDTH = 128  # of a photograph, pixels
SMALL = 64  # of a photograph of DR-XJU, pixels

EYEQ_TRAIN, EYEQ_TEST, EYEQ_D = 54, 27, 18
"""Numbers of EyeQ's images; classes in turn, so that all are everywhere."""

MSHF_GROUPS = dict(zip(layouts.MSHF_GROUPS, (12, 12, 8, 6, 12, 10, 3), strict=True))
DEEPDRID_PATIENTS = {
    "train": [1, 2, 3, 4, 27, 56, 77, 96, 164, 167],
    "val": [301, 302, 303, 330],
    "test": [347, 348, 349, 350],
}
FIVES_IMAGES = {"train": range(1, 21), "test": range(21, 37)}
"""Numbers of FIVES; unlike the archive's they do not begin anew, so that a stem is one photograph."""

SHARED = ("Healthy-1", "21_D")
"""A photograph of MSHF that is a test image of FIVES as well."""

NOT_THERE = "1012_left"  # a test image of EyeQ that is labelled and was not downloaded
CUT_SHORT = "3_left"  # a training image of EyeQ whose file broke off
WHITE = ("27", "96", "330")  # patients of DeepDRiD photographed on white, with an index burnt in

DEFECTS = {"illumination": "under_exposure", "clarity": "defocus", "contrast": "haze"}
_CAMERAS = ("tabletop_b", "tabletop_c", "reader_b", "portable")


def write_archives(root: Path, names: Sequence[str], seed: int = 0) -> Path:
    """Write some of eyeq/ (with eyeq-d/ beside it), mshf/, deepdrid/ and fives/ below `root`; return it."""
    rng, severities = np.random.default_rng(seed), {}
    writers = {"eyeq": _write_eyeq, "mshf": _write_mshf, "deepdrid": _write_deepdrid, "fives": _write_fives}
    for name in names:
        severities |= writers[name](root, rng)
    for number, (stem, bad) in enumerate(severities.items()):
        image = draw(stem, number, bad)
        for path in sorted(path for path in root.rglob(f"{stem}.*") if path.parent.name != "Ground truth"):
            path.write_bytes(_encoded(image, path))
    if {"mshf", "fives"} <= set(names):
        one, other = (next(root.rglob(f"Original/**/{stem}.*")) for stem in SHARED)
        other.write_bytes(_encoded(cv2.imread(str(one))[..., ::-1], other))
    if "eyeq" in names:
        (root / "eyeq" / "test" / f"{NOT_THERE}.jpeg").unlink()
        broken = root / "eyeq" / "train" / f"{CUT_SHORT}.jpeg"
        broken.write_bytes(broken.read_bytes()[:300])
    return root


def draw(stem: str, number: int, severities: Mapping[str, float]) -> np.ndarray:
    """Draw one photograph, uint8 RGB; small for DR-XJU, on white for some patients of DeepDRiD."""
    small = stem.startswith("DR-XJU")
    camera = "tabletop_c" if small else _CAMERAS[number % len(_CAMERAS)]
    size = SMALL if small else WIDTH
    side = ("left", "right")[number % 2]
    fundus = render_clean(Exposure("phantom_details", 0, number, number, side, "macula", camera, size))
    image = fundus.spoil(severities).image
    if stem.split("_")[0] in WHITE and stem.split("_")[1][0] in "lr" and len(stem.split("_")[1]) == 2:
        image[~fundus.fov_mask] = 255
        cv2.putText(image, stem[:2], (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (0, 0, 0))
    return image


def _encoded(image: np.ndarray, path: Path) -> bytes:
    """Encode in the format that the name says, so that .png and .jpg of one image differ only by it."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 92] if path.suffix != ".png" else []
    suffix = ".jpg" if path.suffix == ".jpeg" else path.suffix
    return cv2.imencode(suffix, image[..., ::-1], options)[1].tobytes()


def _of_class(name: str, rng: np.random.Generator) -> dict[str, float]:
    """Severities of an EyeQ-like grade: none for good, one in the middle for usable, two for reject."""
    n = {"good": 0, "usable": 1, "reject": 2}[name]
    chosen = rng.choice(list(DEFECTS.values()), n, replace=False)
    return {str(defect): 0.55 if n == 1 else 0.95 for defect in chosen}


def _write_eyeq(root: Path, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Write EyeQ and EyeQ-D; patients have both eyes, except the last of an odd number."""
    names = ("good", "usable", "reject")
    parts, first = {}, 1
    for part, n in (("train", EYEQ_TRAIN), ("test", EYEQ_TEST)):
        stems = [f"{first + k // 2}_{('left', 'right')[k % 2]}" for k in range(n)]
        parts[part] = {stem: names[k % 3] for k, stem in enumerate(stems)}
        first += 1000
    layouts.write_eyeq(root / "eyeq", parts["train"], parts["test"])
    severities = {stem: _of_class(name, rng) for part in parts.values() for stem, name in part.items()}
    rows = []
    for stem, name in list(parts["test"].items())[:EYEQ_D]:
        details = [int(severities[stem].get(DEFECTS[detail], 0) < 0.5) for detail in DEFECTS]
        rows.append((stem, 2 - layouts.EYEQ_RAW[name], *details))
    layouts.write_eyeq_d(root / "eyeq-d" / "data", rows)
    return severities


def _write_mshf(root: Path, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Write MSHF: three experts say what is there, and each errs once in eight."""
    scores, severities = {}, {}
    for name in layouts.mshf_names(MSHF_GROUPS):
        good = rng.random(3) < 0.6
        truth = np.array([*good, good.sum() >= 2]).astype(int)
        scores[name] = np.where(rng.random((3, 4)) < 1 / 8, 1 - truth, truth)
        stem = Path(name).stem
        severities[stem] = {
            defect: 0.9 for defect, fine in zip(DEFECTS.values(), good, strict=True) if not fine
        }
    layouts.write_mshf(root / "mshf", groups=MSHF_GROUPS, scores=scores)
    return severities


def _write_deepdrid(root: Path, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Write DeepDRiD; a bad eye's views are spoilt alike."""
    parts = {part: layouts.deepdrid_rows(ids, k) for k, (part, ids) in enumerate(DEEPDRID_PATIENTS.items())}
    layouts.write_deepdrid(root / "deepdrid", parts)
    rows = pd.concat(parts.values())
    return {
        row["image_id"]: {} if row["Overall quality"] else _of_class("reject", rng)
        for _, row in rows.iterrows()
    }


def _write_fives(root: Path, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Write FIVES: what its sheets say is what is there."""
    rows, severities = {}, {}
    for split, numbers in FIVES_IMAGES.items():
        rows[split] = [("ADGN"[k % 4], k, *map(int, rng.random(3) < 0.6)) for k in numbers]
        for letter, number, *good in rows[split]:
            bad = [defect for defect, fine in zip(DEFECTS.values(), good, strict=True) if not fine]
            severities[f"{number}_{letter}"] = dict.fromkeys(bad, 0.9)
    layouts.write_fives(root / "fives", rows)
    return severities
