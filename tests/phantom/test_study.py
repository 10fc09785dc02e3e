from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pandas as pd
import pytest

from riqa.data.manifest import load_dataset
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.phantom.cases import case
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.study import (
    CAMERA_MIX,
    _exact_classes,
    phantom_details,
    phantom_eyes,
    phantom_grades,
    phantom_observers,
)

SIZE = 64


def read(dataset, table):
    return pd.read_parquet(dataset.root / f"{table}.parquet")


def digest(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sets")


@pytest.fixture(scope="module")
def details(folder):
    return phantom_details(folder / "details", n_train=40, n_test=12, seed=3, size=SIZE)


@pytest.fixture(scope="module")
def grades(folder):
    return phantom_grades(folder / "grades", n_train=100, n_test=50, seed=3, size=SIZE)


@pytest.fixture(scope="module")
def eyes(folder):
    return phantom_eyes(folder / "eyes", n_train=40, n_test=16, seed=3, size=SIZE)


@pytest.fixture(scope="module")
def observers(folder):
    return phantom_observers(folder / "observers", n_test=40, n_repeat=10, seed=3, size=SIZE)


def test_every_photograph_is_there_and_the_set_loads_again(details):
    again = load_dataset(details.root)
    pd.testing.assert_frame_equal(again.manifest, load_dataset(details.root).manifest)
    assert len(again.manifest) == 52
    assert again.drawn
    for row in again.manifest.itertuples():
        assert cv2.imread(str(details.root / row.path)).ndim == 3
    assert not list(details.root.parent.glob("*.partial*"))


def test_details_set_has_details_only(details):
    manifest = load_dataset(details.root).manifest
    assert details.n_classes is None
    assert manifest["overall"].isna().all()
    assert manifest[list(DETAILS)].notna().all().all()
    assert (manifest["split"] == "test").sum() == 12
    assert 2 <= (manifest["split"] == "val").sum() <= 6


def test_labels_are_the_majority_of_the_ratings(details):
    ratings = read(details, "ratings")
    share = ratings.groupby(["image_id", "item"])["score"].mean().unstack()
    manifest = load_dataset(details.root).manifest.set_index("image_id")
    for detail in DETAILS:
        assert ((share[detail] > 0.5).astype(float) == manifest[detail]).all()
    raters = ratings.groupby("image_id")["rater"].nunique()
    assert set(raters) <= {3, 5, 7}


def test_grades_have_their_prevalences_to_the_photograph(grades):
    manifest = load_dataset(grades.root).manifest
    train = manifest[manifest["split"] != "test"]["overall"].value_counts()
    test = manifest[manifest["split"] == "test"]["overall"].value_counts()
    assert [train[c] for c in (0, 1, 2)] == [18, 15, 67]
    assert [test[c] for c in (0, 1, 2)] == [10, 14, 26]
    assert 5 <= (manifest["split"] == "val").sum() <= 15


def test_worse_grades_have_worse_truth(grades):
    truth = read(grades, "truth").merge(load_dataset(grades.root).manifest[["image_id", "overall"]])
    means = truth.groupby("overall")["overall_score"].mean()
    assert means[0] > means[1] > means[2]


def test_exact_classes_by_hand():
    rng = np.random.default_rng(0)
    assert np.bincount(_exact_classes(10, (0.18, 0.15, 0.67), rng)).tolist() == [2, 1, 7]
    assert np.bincount(_exact_classes(2000, (0.18, 0.15, 0.67), rng)).tolist() == [360, 300, 1340]


def test_eyes_have_two_views_and_one_label(eyes):
    manifest = load_dataset(eyes.root).manifest
    groups = manifest.groupby(["patient_id", "eye"])
    assert (groups["overall"].nunique() == 1).all()
    assert (groups["view"].agg(sorted).map(tuple) == ("disc", "macula")).all()
    assert (manifest.groupby("patient_id")["eye"].nunique() == 2).all()
    assert manifest[manifest["split"] == "test"]["overall"].mean() == 0.5
    assert manifest[manifest["split"] != "test"]["overall"].mean() == 0.5
    score = read(eyes, "truth")["overall_score"].to_numpy().reshape(-1, 2)
    assert (score[:, 0] != score[:, 1]).any()  # the label is the eye's, the quality each photograph's own


def test_eyes_need_whole_patients(tmp_path):
    with pytest.raises(InputError, match="multiples of 4"):
        phantom_eyes(tmp_path / "x", n_train=10, n_test=4)


def test_observers_rate_again_what_they_saw(observers):
    ratings = read(observers, "ratings")
    details = ratings[ratings["item"] != "overall"]
    keys = ["image_id", "rater", "item"]
    first, second = (details[details["session"] == s].set_index(keys)["score"] for s in (1, 2))
    assert second.index.isin(first.index).all()
    assert second.index.get_level_values("image_id").nunique() == 10
    agree = (first.loc[second.index] == second).mean()
    assert 0.75 < agree < 1
    assert details["rater"].nunique() == 8
    assert (load_dataset(observers.root).manifest["split"] == "test").all()


def test_no_patient_is_in_two_splits_and_cameras_shift(details, grades):
    for dataset in (details, grades):
        manifest = load_dataset(dataset.root).manifest
        assert (manifest.groupby("patient_id")["split"].nunique() == 1).all()
        assert (manifest.groupby("patient_id")["source"].nunique() == 1).all()
        assert set(manifest["source"]) <= set(CAMERA_MIX[dataset.name])
    assert set(CAMERA_MIX["phantom_details"]) != set(CAMERA_MIX["phantom_grades"])
    assert set(CAMERA_MIX["phantom_details"]) & set(CAMERA_MIX["phantom_grades"])


def test_same_bytes_with_one_worker_or_two(folder, details):
    other = phantom_details(folder / "again", n_train=40, n_test=12, seed=3, size=SIZE, workers=2)
    assert digest(other.root) == digest(details.root)


def test_seed_and_size_are_alive(folder, details):
    other = phantom_details(folder / "seed", n_train=6, n_test=2, seed=4, size=96, validation=0)
    assert read(other, "truth")["seed"].unique().tolist() == [4]
    widths = read(other, "truth")["width"].mean() / read(details, "truth")["width"].mean()
    assert widths == pytest.approx(1.5, rel=0.2)
    same = read(details, "truth")[list(DEFECTS)].to_numpy()[:6]
    assert not np.allclose(read(other, "truth")[list(DEFECTS)].to_numpy()[:6], same)
    assert set(load_dataset(other.root).manifest["split"]) == {"train", "test"}


def test_a_case_is_the_photograph_with_its_truth(grades):
    truth = read(grades, "truth")
    spoilt = truth.loc[truth["overall_score"].idxmax()]
    one = case(grades.root, spoilt["image_id"])
    written = cv2.imread(str(grades.root / "images" / f"{spoilt['image_id']}.jpg"))[..., ::-1]
    assert np.abs(written.astype(float) - one.image).mean() < 4  # JPEG's loss
    assert set(one.masks) == set(one.severities) == {name for name in DEFECTS if spoilt[name] > 0}
    assert not np.array_equal(one.image, one.clean)
    assert np.array_equal(one.image[~one.fov_mask], one.clean[~one.fov_mask])
    clean = truth[truth[list(DEFECTS)].sum(axis=1) == 0]
    untouched = case(grades.root, clean["image_id"].iloc[0])
    assert np.array_equal(untouched.image, untouched.clean)
    with pytest.raises(InputError, match="nobody"):
        case(grades.root, "nobody")


def test_truth_knows_the_field_of_view(details):
    row = read(details, "truth").iloc[0]
    one = case(details.root, row["image_id"])
    assert one.fov_mask.shape == (row["height"], row["width"])
    columns = np.flatnonzero(one.fov_mask.any(axis=0))
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(row["fov_x"], abs=3)


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=str(tmp_path)):
        phantom_details(tmp_path, n_train=4, n_test=2, size=SIZE)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_workers_must_be_positive(tmp_path):
    with pytest.raises(ValueError, match="workers"):
        phantom_details(tmp_path / "x", n_train=4, n_test=2, size=SIZE, workers=0)
