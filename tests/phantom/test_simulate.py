from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from riqa.data.manifest import COLUMNS, Dataset, load_dataset
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.phantom.cases import case
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.simulate import simulated_details

from .conftest import make_fundus


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Stands in for a real dataset: 12 photographs, 10 of them good, one of these no photograph at all."""
    root = tmp_path_factory.mktemp("real")
    rows = []
    for k in range(12):
        image = make_fundus(seed=k, camera="tabletop_e", size=160).image
        if k == 3:
            image = np.zeros_like(image)
        cv2.imwrite(str(root / f"{k}.png"), image[..., ::-1])
        split = ("train", "val", "test")[k % 3]
        rows.append(
            (f"{k}_left", f"{k}.png", "real", f"{k}", "left", "1", "?", split, 2.0 if k < 10 else 0.0)
        )
    frame = pd.DataFrame(rows, columns=COLUMNS[:9])
    for detail in DETAILS:
        frame[detail] = np.nan
    return Dataset("real", root, frame, 3, "someone", "CC BY 4.0")


@pytest.fixture(scope="module")
def simulated(source, tmp_path_factory):
    return simulated_details(source, tmp_path_factory.mktemp("out") / "sim", draws=2, seed=1, size=128)


def test_only_good_readable_photographs_are_spoilt(simulated, source):
    manifest = load_dataset(simulated.root).manifest
    assert len(manifest) == 2 * 9
    assert set(manifest["patient_id"]) == {str(k) for k in range(10)} - {"3"}
    assert simulated.findings[0].message.startswith("1 good")
    assert manifest["overall"].isna().all()
    assert manifest[list(DETAILS)].notna().all().all()
    assert simulated.licence == source.licence
    assert not load_dataset(simulated.root).drawn  # spoilt, but taken


def test_patients_keep_their_split(simulated, source):
    before = source.manifest.set_index("patient_id")["split"]
    manifest = load_dataset(simulated.root).manifest
    assert (manifest["patient_id"].map(before) == manifest["split"]).all()


def test_images_are_reduced_and_draws_differ(simulated):
    first, second = (cv2.imread(str(simulated.root / "images" / f"0_left_d{k}.jpg")) for k in range(2))
    assert first.shape[1] == 128
    assert not np.array_equal(first, second)


def test_truth_matches_the_case(simulated, source):
    truth = pd.read_parquet(simulated.root / "truth.parquet")
    row = truth.loc[truth["overall_score"].idxmax()]
    one = case(simulated.root, row["image_id"], source_root=source.root)
    assert set(one.severities) == {name for name in DEFECTS if row[name] > 0}
    written = cv2.imread(str(simulated.root / "images" / f"{row['image_id']}.jpg"))[..., ::-1]
    assert np.abs(written.astype(float) - one.image).mean() < 4
    with pytest.raises(InputError, match="source_root"):
        case(simulated.root, row["image_id"])


def test_same_bytes_with_two_workers(simulated, source, tmp_path):
    again = simulated_details(source, tmp_path / "sim", draws=2, seed=1, size=128, workers=2)
    for path in sorted(Path(simulated.root).rglob("*.*")):
        if path.is_file():
            assert path.read_bytes() == (again.root / path.relative_to(simulated.root)).read_bytes()


def test_a_source_without_good_photographs_is_refused(source, tmp_path):
    bad = Dataset("real", source.root, source.manifest.assign(overall=0.0), 3, "", "")
    with pytest.raises(InputError, match="no photograph labelled good"):
        simulated_details(bad, tmp_path / "x")
    with pytest.raises(ValueError, match="draws"):
        simulated_details(source, tmp_path / "x", draws=0)
