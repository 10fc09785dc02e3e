import cv2
import numpy as np
import pandas as pd
import pytest

from riqa.data.curate import curate
from riqa.data.manifest import load_dataset
from riqa.labels import DETAILS
from riqa.phantom.cases import Case, case
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.photograph import spoil
from riqa.phantom.raters import overall_score
from riqa.phantom.repair import REPAIRS, recapture, recaptures, repaired_scores, spoilt_details, without
from riqa.phantom.study import phantom_grades

from .conftest import make_fundus

DRAW = ("phantom_grades", 0, 7)


@pytest.fixture(scope="module")
def grades(tmp_path_factory):
    return phantom_grades(tmp_path_factory.mktemp("set") / "grades", n_train=12, n_test=8, size=96)


@pytest.fixture(scope="module")
def truth(grades):
    return pd.read_parquet(grades.root / "truth.parquet")


def photograph(severities):
    fundus = make_fundus(size=96)
    image, masks = spoil(fundus.image, fundus.fov_mask, *DRAW, severities)
    return Case(image, fundus.image, fundus.fov_mask, masks, severities, DRAW)


def test_a_code_is_the_sum_of_powers_of_two():
    assert REPAIRS[0] == ()
    assert [REPAIRS[1], REPAIRS[2], REPAIRS[4]] == [(detail,) for detail in DETAILS]
    assert REPAIRS[5] == ("illumination", "contrast")
    assert REPAIRS[7] == DETAILS


@pytest.mark.parametrize("detail", DETAILS)
def test_all_defects_of_a_detail_go_and_no_other(detail):
    every = dict.fromkeys(DEFECTS, 0.5)
    left = without(every, [detail])
    assert {name for name, value in left.items() if value == 0} == {
        name for name, owner in DEFECTS.items() if owner == detail
    }
    assert list(left) == list(every)
    assert without(every, []) == every


def test_an_artifact_is_no_detail_that_could_be_repaired():
    with pytest.raises(ValueError, match="artifact"):
        without({"dust": 0.5}, ["artifact"])


@pytest.mark.parametrize("removed", sorted(DEFECTS))
@pytest.mark.parametrize("stays", ["flash_spot", "motion", "haze", "dust", "rainbow", "under_exposure"])
def test_the_random_numbers_of_a_defect_do_not_depend_on_the_others(removed, stays):
    """The mask of what stays is the same to the bit, whatever else was there before it."""
    fundus = make_fundus(size=96)
    both = {removed: 0.6} | {stays: 0.7}
    _, together = spoil(fundus.image, fundus.fov_mask, *DRAW, both)
    alone_image, alone = spoil(fundus.image, fundus.fov_mask, *DRAW, {stays: 0.7})
    assert together[stays].any()
    assert np.array_equal(together[stays], alone[stays])
    absent, _ = spoil(
        fundus.image, fundus.fov_mask, *DRAW, {removed: 0.0 if removed != stays else 0.7, stays: 0.7}
    )
    assert np.array_equal(absent, alone_image)


def test_after_a_repair_the_photograph_is_one_that_never_had_the_defect():
    case_ = photograph({"defocus": 0.8, "flash_spot": 0.6, "dust": 0.7})
    without_blur = photograph({"flash_spot": 0.6, "dust": 0.7})
    assert np.array_equal(recapture(case_, ["clarity"]), without_blur.image)
    assert np.array_equal(recapture(case_, []), case_.image)
    assert not np.array_equal(recapture(case_, ["clarity"]), case_.image)
    assert np.array_equal(recapture(case_, DETAILS), photograph({"dust": 0.7}).image)


def test_a_detail_without_a_defect_changes_nothing():
    case_ = photograph({"defocus": 0.8})
    assert np.array_equal(recapture(case_, ["illumination", "contrast"]), case_.image)


def test_eye_camera_and_exposure_stay(grades, truth):
    row = truth[spoilt_details(truth).any(axis=1) & truth["dust"].eq(0) & truth["eyelash"].eq(0)]
    row = row[row["rainbow"].eq(0)].iloc[0]
    again = case(grades.root, row["image_id"])
    assert np.array_equal(recapture(again, DETAILS), again.clean)


def test_the_first_recapture_is_the_curated_photograph_itself(grades, truth, tmp_path):
    """Same JPEG, same field of view, same crop and size as chapter 01: equal to the bit."""
    store = curate(load_dataset(grades.root), tmp_path / "store", 48)
    n_spoilt = spoilt_details(truth).sum(axis=1)
    for image_id in truth["image_id"].iloc[[int(np.argmax(n_spoilt)), int(np.argmin(n_spoilt))]]:
        images = recaptures(grades.root, image_id, 48)
        row = store.manifest["image_id"].eq(image_id).to_numpy().nonzero()[0][0]
        assert images.shape == (8, 48, 48, 3)
        assert np.array_equal(images[0], store.images[row])


def test_recaptures_differ_where_a_spoilt_detail_is_repaired(grades, truth):
    """Also where a detail has no defect: then its repair is the same as leaving it out."""
    spoilt = spoilt_details(truth)
    strength = truth[[f"perceived_{detail}" for detail in DETAILS]].to_numpy()
    k = int(np.argmax(np.where(spoilt.sum(axis=1) == 2, np.sort(strength, axis=1)[:, 1], -1)))
    assert strength[k][spoilt[k]].min() > 0.1, "too faint a defect to be seen"
    images = recaptures(grades.root, truth["image_id"].iloc[k], 48)
    for code, details in enumerate(REPAIRS):
        touched = tuple(detail for detail in details if spoilt[k, DETAILS.index(detail)])
        assert np.array_equal(images[code], images[0]) == (not touched)
        assert np.array_equal(images[code], images[REPAIRS.index(touched)])


def test_a_photograph_that_cannot_be_curated_is_reported(grades, truth, monkeypatch):
    from riqa.phantom import repair

    monkeypatch.setattr(repair, "curate_photograph", lambda path, size: (None, {"reason": "no field"}))
    assert recaptures(grades.root, truth["image_id"].iloc[0], 48) is None


def test_scores_after_repairs_are_those_of_the_severities_left(truth):
    scores = repaired_scores(truth)
    assert scores.shape == (len(truth), 8)
    assert scores[:, 0] == pytest.approx(truth["overall_score"])
    left = {name: truth[name].to_numpy() for name, owner in DEFECTS.items() if owner != "clarity"}
    assert scores[:, 2] == pytest.approx(overall_score(left))
    only = {name: truth[name].to_numpy() for name, owner in DEFECTS.items() if owner == "artifact"}
    assert scores[:, 7] == pytest.approx(overall_score(only))
    assert (np.diff(scores[:, [0, 1, 3, 7]], axis=1) <= 1e-12).all(), "a repair never hurts"


def test_spoilt_is_any_severity_at_all():
    truth = pd.DataFrame(0.0, index=range(3), columns=list(DEFECTS))
    truth.loc[0, "halo"], truth.loc[1, "motion"], truth.loc[2, "dust"] = 0.01, 0.9, 1.0
    assert spoilt_details(truth).astype(int).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_a_real_photograph_that_was_spoilt_can_be_taken_again(tmp_path):
    from riqa.data.manifest import COLUMNS, Dataset
    from riqa.phantom.simulate import simulated_details

    source = make_fundus(size=128).image
    cv2.imwrite(str(tmp_path / "0.png"), source[..., ::-1])
    row = ("0", "0.png", "real", "0", "left", "1", "?", "test", 2.0, np.nan, np.nan, np.nan)
    real = Dataset("real", tmp_path, pd.DataFrame([row], columns=list(COLUMNS)), 3, "someone", "CC BY 4.0")
    spoilt = simulated_details(real, tmp_path / "sim", draws=6, seed=3, size=128)
    truth = pd.read_parquet(spoilt.root / "truth.parquet")
    image_id = truth["image_id"][int(np.argmax(spoilt_details(truth).sum(axis=1)))]
    images = recaptures(spoilt.root, image_id, 48, source_root=tmp_path)
    assert not np.array_equal(images[7], images[0])
