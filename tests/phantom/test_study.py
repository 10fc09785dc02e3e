import hashlib
import json
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest

from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.phantom import study as S  # noqa: N812
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.photograph import case

from .conftest import photograph, read

SIZE = 64


def digest(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def told(dataset):
    return json.loads((dataset.root / "dataset.json").read_text(encoding="utf-8"))


def test_the_details_set_is_written_with_details_only(details):
    manifest, ratings = read(details, "manifest"), read(details, "ratings")
    assert len(manifest) == 40
    assert told(details)["drawn"]
    assert all(cv2.imread(str(details.root / path)).ndim == 3 for path in manifest["path"])
    assert not list(details.root.parent.glob("*.partial*"))
    assert told(details)["n_classes"] is None
    assert manifest["overall"].isna().all()
    assert (manifest["split"] == "test").sum() == 10
    assert 2 <= (manifest["split"] == "val").sum() <= 5
    share = ratings.pivot_table("score", "image_id", "item")
    labels = manifest.set_index("image_id")[share.columns].loc[share.index]
    assert ((share > 0.5) == labels).all().all(), "labels are the majority of the ratings"
    assert set(ratings.groupby("image_id")["rater"].nunique()) <= {3, 5, 7}


def test_grades_have_their_prevalences_to_the_photograph_and_worse_ones_worse_truth(grades):
    """By largest remainder: 0.18, 0.15 and 0.67 of 60 are 10.8, 9 and 40.2."""
    manifest = read(grades, "manifest")
    counts = pd.crosstab(manifest["split"] == "test", manifest["overall"])
    assert counts.to_numpy().tolist() == [[11, 9, 40], [8, 11, 21]]
    assert 4 <= (manifest["split"] == "val").sum() <= 8
    means = read(grades).merge(manifest[["image_id", "overall"]]).groupby("overall")["overall_score"].mean()
    assert means[0] > means[1] > means[2]


def test_eyes_have_two_views_and_one_label(tmp_path):
    eyes = S.phantom_eyes(tmp_path / "eyes", n_train=20, n_test=8, seed=3, size=SIZE)
    manifest = read(eyes, "manifest")
    groups = manifest.groupby(["patient_id", "eye"])
    assert (groups["overall"].nunique() == 1).all()
    assert (groups["view"].agg(sorted).map(tuple) == ("disc", "macula")).all()
    assert (manifest.groupby("patient_id")["eye"].nunique() == 2).all()
    assert (manifest.groupby(manifest["split"] == "test")["overall"].mean() == 0.5).all()
    score = read(eyes)["overall_score"].to_numpy().reshape(-1, 2)
    assert (score[:, 0] != score[:, 1]).any()  # the label is the eye's, the quality each photograph's own


def test_observers_rate_again_what_they_saw(tmp_path):
    observers = S.phantom_observers(tmp_path / "observers", n_test=40, n_repeat=10, seed=3, size=SIZE)
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


def test_same_bytes_with_one_worker_or_two_and_seed_and_size_are_alive(tmp_path):
    def make(name, **changes):
        options = {"n_train": 12, "n_test": 4, "seed": 3, "size": SIZE} | changes
        return S.phantom_details(tmp_path / name, **options)

    one, two, other = make("one"), make("two", workers=2), make("other", seed=4, size=96, validation=0)
    assert digest(one.root) == digest(two.root)
    truth, before = read(other), read(one)
    assert truth["seed"].unique().tolist() == [4]
    assert truth["width"].mean() / before["width"].mean() == pytest.approx(1.5, rel=0.2)
    assert not np.allclose(truth[list(DEFECTS)], before[list(DEFECTS)])
    assert set(read(other, "manifest")["split"]) == {"train", "test"}


SMALL = {"n_train": 4, "n_test": 2, "size": SIZE}


@pytest.mark.parametrize(
    ("make", "options", "error", "said"),
    [
        (S.phantom_details, {"n_test": 0}, InputError, "at least 1 for each split"),
        (S.phantom_eyes, {"n_train": 10, "n_test": 4}, InputError, "multiples of 4"),
        (S.phantom_details, {"workers": 0}, ValueError, "workers"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path, make, options, error, said):
    with pytest.raises(error, match=said):
        make(tmp_path / "x", **SMALL | options)


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=str(tmp_path)):
        S.phantom_details(tmp_path, **SMALL)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def check_case(dataset, source_root=None):
    """Make the worst photograph again; it must be the one that was written."""
    truth = read(dataset)
    row = truth.loc[truth["overall_score"].idxmax()]
    one = case(dataset.root, row["image_id"], source_root=source_root)
    written = cv2.imread(str(dataset.root / "images" / f"{row['image_id']}.jpg"))[..., ::-1]
    assert np.abs(written.astype(float) - one.image).mean() < 4  # JPEG's loss
    assert set(one.masks) == set(one.severities) == {name for name in DEFECTS if row[name] > 0}
    assert one.fov_mask.shape == (row["height"], row["width"])
    columns = np.flatnonzero(one.fov_mask.any(axis=0))
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(row["fov_x"], abs=3)
    return one


def test_a_case_is_the_photograph_with_its_truth(grades):
    one = check_case(grades)
    assert not np.array_equal(one.image, one.clean)
    assert np.array_equal(one.image[~one.fov_mask], one.clean[~one.fov_mask])
    truth = read(grades)
    untouched = case(grades.root, truth["image_id"][truth[list(DEFECTS)].sum(axis=1) == 0].iloc[0])
    assert np.array_equal(untouched.image, untouched.clean)
    with pytest.raises(InputError, match="nobody"):
        case(grades.root, "nobody")
    with pytest.raises(InputError, match="is not a phantom"):
        case(grades.root / "images", "nobody")
    with pytest.raises(ValueError, match="study must be one of"):
        photograph(study="mshf")


def test_only_good_readable_photographs_are_spoilt_and_keep_their_split(simulated, source):
    manifest, said = read(simulated, "manifest"), told(simulated)
    assert set(manifest["patient_id"]) == {str(k) for k in range(10)} - {"3"}
    assert said["findings"][0]["message"].startswith("1 good")
    assert manifest["overall"].isna().all()
    assert manifest[list(DETAILS)].notna().all().all()
    assert set(read(simulated, "ratings")["image_id"]) == set(manifest["image_id"])
    assert said["licence"] == source.licence
    assert not said["drawn"]  # spoilt, but taken
    before = source.manifest.set_index("patient_id")["split"]
    assert (manifest["patient_id"].map(before) == manifest["split"]).all()


def test_spoilt_photographs_are_reduced_and_made_again(simulated, source, tmp_path):
    assert check_case(simulated, source.root).image.shape[1] == 128
    again = S.simulated_details(source, tmp_path / "sim", seed=1, size=128, workers=2)
    assert digest(again.root) == digest(simulated.root)
    with pytest.raises(InputError, match="source_root"):
        case(simulated.root, "0_left")
    with pytest.raises(InputError, match="restore the file"):
        case(simulated.root, "0_left", source_root=simulated.root)


def test_a_source_without_good_photographs_is_refused(source, tmp_path):
    bad = replace(source, manifest=source.manifest.assign(overall=0.0))
    with pytest.raises(InputError, match="no photograph labelled good"):
        S.simulated_details(bad, tmp_path / "x")
    with pytest.raises(InputError, match="none of 1 good photographs shows a field"):
        S.simulated_details(replace(source, manifest=source.manifest[3:4]), tmp_path / "x")
