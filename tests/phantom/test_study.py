import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from riqa.data.manifest import load_dataset
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.phantom import study as S  # noqa: N812
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.photograph import Exposure, case, render_clean

from .conftest import read

SIZE = 64


def digest(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("sets")


@pytest.fixture(scope="module")
def details(folder):
    return S.phantom_details(folder / "details", n_train=40, n_test=12, seed=3, size=SIZE)


def test_the_details_set_loads_again_with_details_only(details):
    again = load_dataset(details.root)
    manifest = again.manifest
    assert len(manifest) == 52
    assert again.drawn
    assert all(cv2.imread(str(details.root / path)).ndim == 3 for path in manifest["path"])
    assert not list(details.root.parent.glob("*.partial*"))
    assert again.n_classes is None
    assert manifest["overall"].isna().all()
    assert (manifest["split"] == "test").sum() == 12
    assert 2 <= (manifest["split"] == "val").sum() <= 6
    share = again.ratings.pivot_table("score", "image_id", "item")
    labels = manifest.set_index("image_id")[share.columns].loc[share.index]
    assert ((share > 0.5) == labels).all().all(), "labels are the majority of the ratings"
    assert set(again.ratings.groupby("image_id")["rater"].nunique()) <= {3, 5, 7}


def test_grades_have_their_prevalences_to_the_photograph_and_worse_ones_worse_truth(grades):
    manifest = read(grades, "manifest")
    counts = pd.crosstab(manifest["split"] == "test", manifest["overall"])
    assert counts.to_numpy().tolist() == [[18, 15, 67], [10, 14, 26]]
    assert 5 <= (manifest["split"] == "val").sum() <= 15
    means = read(grades).merge(manifest[["image_id", "overall"]]).groupby("overall")["overall_score"].mean()
    assert means[0] > means[1] > means[2]


@pytest.mark.parametrize(("n", "counts"), [(10, [2, 1, 7]), (2000, [360, 300, 1340])])
def test_exact_classes_by_hand(n, counts):
    assert np.bincount(S._exact_classes(n, (0.18, 0.15, 0.67), np.random.default_rng(0))).tolist() == counts


def test_eyes_have_two_views_and_one_label(folder):
    eyes = S.phantom_eyes(folder / "eyes", n_train=40, n_test=16, seed=3, size=SIZE)
    manifest = read(eyes, "manifest")
    groups = manifest.groupby(["patient_id", "eye"])
    assert (groups["overall"].nunique() == 1).all()
    assert (groups["view"].agg(sorted).map(tuple) == ("disc", "macula")).all()
    assert (manifest.groupby("patient_id")["eye"].nunique() == 2).all()
    assert (manifest.groupby(manifest["split"] == "test")["overall"].mean() == 0.5).all()
    score = read(eyes)["overall_score"].to_numpy().reshape(-1, 2)
    assert (score[:, 0] != score[:, 1]).any()  # the label is the eye's, the quality each photograph's own
    with pytest.raises(InputError, match="multiples of 4"):
        S.phantom_eyes(folder / "x", n_train=10, n_test=4)


def test_observers_rate_again_what_they_saw(folder):
    observers = S.phantom_observers(folder / "observers", n_test=40, n_repeat=10, seed=3, size=SIZE)
    ratings = read(observers, "ratings").query("item != 'overall'")
    keys = ["image_id", "rater", "item"]
    first, second = (ratings[ratings["session"] == s].set_index(keys)["score"] for s in (1, 2))
    assert second.index.isin(first.index).all()
    assert second.index.get_level_values("image_id").nunique() == 10
    assert 0.75 < (first.loc[second.index] == second).mean() < 1
    assert ratings["rater"].nunique() == 8
    assert (read(observers, "manifest")["split"] == "test").all()


def test_no_patient_is_in_two_splits_and_cameras_shift(details, grades):
    few, many = (set(S.SPECS[name].cameras) for name in ("phantom_details", "phantom_grades"))
    assert few != many
    assert few & many
    for dataset, cameras in ((details, few), (grades, many)):
        manifest = read(dataset, "manifest")
        assert (manifest.groupby("patient_id")[["split", "source"]].nunique() == 1).all().all()
        assert set(manifest["source"]) <= cameras


def test_same_bytes_with_one_worker_or_two(folder, details):
    other = S.phantom_details(folder / "again", n_train=40, n_test=12, seed=3, size=SIZE, workers=2)
    assert digest(other.root) == digest(details.root)


def test_seed_and_size_are_alive(folder, details):
    other = S.phantom_details(folder / "seed", n_train=6, n_test=2, seed=4, size=96, validation=0)
    truth, before = read(other), read(details)
    assert truth["seed"].unique().tolist() == [4]
    assert truth["width"].mean() / before["width"].mean() == pytest.approx(1.5, rel=0.2)
    assert not np.allclose(truth[list(DEFECTS)][:6], before[list(DEFECTS)][:6])
    assert set(read(other, "manifest")["split"]) == {"train", "test"}


def test_what_cannot_be_made_is_refused_and_a_folder_with_other_things_left_alone(tmp_path):
    small = {"n_train": 4, "n_test": 2, "size": SIZE}
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=str(tmp_path)):
        S.phantom_details(tmp_path, **small)
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    with pytest.raises(InputError, match="at least 1 for each split"):
        S.phantom_details(tmp_path / "x", **small | {"n_test": 0})
    with pytest.raises(ValueError, match="workers"):
        S.phantom_details(tmp_path / "x", **small, workers=0)
    with pytest.raises(ValueError, match="study must be one of"):
        render_clean(Exposure("mshf", 0, 0, 0, "left", "macula", "portable", SIZE, {}))


def test_a_case_is_the_photograph_with_its_truth(grades):
    truth = read(grades)
    spoilt = truth.loc[truth["overall_score"].idxmax()]
    one = case(grades.root, spoilt["image_id"])
    written = cv2.imread(str(grades.root / "images" / f"{spoilt['image_id']}.jpg"))[..., ::-1]
    assert np.abs(written.astype(float) - one.image).mean() < 4  # JPEG's loss
    assert set(one.masks) == set(one.severities) == {name for name in DEFECTS if spoilt[name] > 0}
    assert not np.array_equal(one.image, one.clean)
    assert np.array_equal(one.image[~one.fov_mask], one.clean[~one.fov_mask])
    assert one.fov_mask.shape == (spoilt["height"], spoilt["width"])
    columns = np.flatnonzero(one.fov_mask.any(axis=0))
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(spoilt["fov_x"], abs=3)
    untouched = case(grades.root, truth["image_id"][truth[list(DEFECTS)].sum(axis=1) == 0].iloc[0])
    assert np.array_equal(untouched.image, untouched.clean)
    with pytest.raises(InputError, match="nobody"):
        case(grades.root, "nobody")
    with pytest.raises(InputError, match="is not a phantom"):
        case(grades.root / "images", "nobody")


def test_only_good_readable_photographs_are_spoilt_and_keep_their_split(simulated, source):
    again = load_dataset(simulated.root)
    manifest = again.manifest
    assert len(manifest) == 2 * 9
    assert set(manifest["patient_id"]) == {str(k) for k in range(10)} - {"3"}
    assert again.findings[0].message.startswith("1 good")
    assert manifest["overall"].isna().all()
    assert manifest[list(DETAILS)].notna().all().all()
    assert set(again.ratings["image_id"]) == set(manifest["image_id"])
    assert again.licence == source.licence
    assert not again.drawn  # spoilt, but taken
    before = source.manifest.set_index("patient_id")["split"]
    assert (manifest["patient_id"].map(before) == manifest["split"]).all()


def test_spoilt_photographs_are_reduced_their_draws_differ_and_truth_matches_the_case(simulated, source):
    first, second = (cv2.imread(str(simulated.root / "images" / f"0_left_d{k}.jpg")) for k in range(2))
    assert first.shape[1] == 128
    assert not np.array_equal(first, second)
    truth = read(simulated)
    row = truth.loc[truth["overall_score"].idxmax()]
    one = case(simulated.root, row["image_id"], source_root=source.root)
    assert set(one.severities) == {name for name in DEFECTS if row[name] > 0}
    written = cv2.imread(str(simulated.root / "images" / f"{row['image_id']}.jpg"))[..., ::-1]
    assert np.abs(written.astype(float) - one.image).mean() < 4
    with pytest.raises(InputError, match="source_root"):
        case(simulated.root, row["image_id"])
    with pytest.raises(InputError, match="restore the file"):
        case(simulated.root, row["image_id"], source_root=simulated.root)


def test_same_spoilt_bytes_with_two_workers(simulated, source, tmp_path):
    again = S.simulated_details(source, tmp_path / "sim", draws=2, seed=1, size=128, workers=2)
    assert digest(again.root) == digest(simulated.root)


def test_a_source_without_good_photographs_is_refused(source, tmp_path):
    bad = replace(source, manifest=source.manifest.assign(overall=0.0))
    with pytest.raises(InputError, match="no photograph labelled good"):
        S.simulated_details(bad, tmp_path / "x")
    with pytest.raises(InputError, match="none of 1 good photographs shows a field"):
        S.simulated_details(replace(source, manifest=source.manifest[3:4]), tmp_path / "x", draws=2)
    with pytest.raises(ValueError, match="draws"):
        S.simulated_details(source, tmp_path / "x", draws=0)
