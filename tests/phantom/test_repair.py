"""Masks lie where defects lie on the curated image, and a repair takes defects away and nothing else."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from riqa.data.curate import curate
from riqa.data.fields import curated_fields
from riqa.labels import DETAILS
from riqa.phantom import repair as R  # noqa: N812
from riqa.phantom.degrade import DEFECTS, GROUPS, degrade
from riqa.phantom.photograph import Case, case, spoil
from riqa.phantom.raters import overall_score
from riqa.phantom.repair import EVERYWHERE, REPAIRS
from riqa.phantom.study import phantom_details

from .conftest import make_fundus, read

DRAW = ("phantom_grades", 0, 7)
EVERY = tuple(GROUPS)


@pytest.fixture(scope="module")
def details(tmp_path_factory):
    return phantom_details(tmp_path_factory.mktemp("masks") / "x", n_train=60, n_test=12, size=128)


@pytest.fixture(scope="module")
def store(details):
    return curate(details, details.root.parent / "store", 48)


@pytest.fixture(scope="module")
def truth(grades):
    return read(grades)


@cache
def clean():
    return make_fundus(size=96)


def photograph(severities):
    fundus = clean()
    image, masks = spoil(fundus.image, fundus.fov_mask, *DRAW, severities)
    return Case(image, fundus.image, fundus.fov_mask, masks, severities, DRAW, {})


def test_the_case_is_the_image_of_the_store_and_masks_lie_where_it_was_changed(details, store):
    """Repairing a photograph outside its masks changes nothing but the noise of JPEG."""
    fields, seen = curated_fields(store, range(len(store.manifest))), 0
    for image_id, image, field in zip(store.manifest["image_id"], store.images, fields, strict=True):
        lit = image.max(axis=2) > 0
        assert (field & lit).sum() / (field | lit).sum() > 0.9 or image[field].mean() < 30  # dark ones
        one = R.curated_case(details.root, image_id, 48)
        np.testing.assert_array_equal(one.image, image)
        if not one.masks or set(one.masks) & set(EVERYWHERE):
            continue
        touched = np.max(list(one.masks.values()), axis=0)
        change = np.abs(one.image.astype(float) - one.clean).mean(axis=2)
        inside = field & (touched > 0.5)
        if inside.any():
            assert change[inside].mean() > 3 * change[field & (touched == 0)].mean()
            seen += 1
    assert seen >= 2
    assert curated_fields(store, []).shape == (0, 48, 48)


@pytest.mark.parametrize("severity", [0.5, 0.9])
@pytest.mark.parametrize("name", DEFECTS)
def test_defects_are_everywhere_or_have_a_place(fundus, name, severity):
    _, masks = degrade(fundus.image, fundus.fov_mask, {name: severity}, np.random.default_rng(3))
    mask = masks[name][fundus.fov_mask]
    assert ((mask >= 0.5 * mask.max()).mean() > 0.99) == (name in EVERYWHERE)


def test_who_takes_part():
    rows = (
        {"dust": 0.8},
        {"dust": 0.4},  # too weak
        {"dust": 0.8, "defocus": 0.7},  # something is everywhere
        {"dust": 0.8, "defocus": 0.4},
        {"vignette": 0.9},
        {"haze": 0.9},
    )
    table = pd.DataFrame([dict.fromkeys(DEFECTS, 0.0) | row for row in rows])
    expected = {EVERY: [0, 3, 4], ("illumination",): [4], ("artifact",): [0, 2, 3], ("contrast",): []}
    found = {groups: np.flatnonzero(R.has_place(table, groups)).tolist() for groups in expected}
    assert found == expected


FIELD, WIDE = np.ones((4, 4), bool), np.ones((4, 4))
SPOT = np.zeros((4, 4))
SPOT[0, 0] = 1


def places(masks, severities, groups, share, field=FIELD):
    nothing = np.zeros((4, 4, 3), np.uint8)
    return R.regions(Case(nothing, nothing, field, masks, severities, DRAW, {}), field, groups, share)


def test_regions_are_cut_at_half_and_joined():
    field = FIELD.copy()
    field[3] = False
    spot, rim = np.zeros((4, 4)), np.zeros((4, 4))
    spot[0] = [0.8, 0.4, 0.39, 0]
    rim[3], rim[2, 0] = 0.9, 0.2  # the strongest part is outside the field
    case_ = {"flash_spot": spot, "rainbow": rim}, {"flash_spot": 0.8, "rainbow": 0.6}
    found = places(*case_, ("illumination", "artifact"), 0.5, field)
    expected = {"flash_spot": [[0, 0], [0, 1]], "rainbow": [[2, 0]], "any": [[0, 0], [0, 1], [2, 0]]}
    assert {name: np.argwhere(region).tolist() for name, region in found.items()} == expected
    assert set(places(*case_, ("artifact",), 0.5, field)) == {"rainbow", "any"}


@pytest.mark.parametrize(
    ("wide", "severity", "groups", "share", "found"),
    [
        ("vignette", 0.9, EVERY, 0.5, set()),
        ("vignette", 0.9, EVERY, 1.0, {"vignette", "dust", "any"}),  # the share is alive
        ("vignette", 0.9, ("artifact",), 0.5, {"dust", "any"}),
        ("vignette", 0.2, EVERY, 0.5, {"dust", "any"}),
        ("defocus", 0.9, ("clarity", "artifact"), 1.0, set()),
    ],
)
def test_no_regions_where_a_strong_defect_is_everywhere(wide, severity, groups, share, found):
    assert set(places({wide: WIDE, "dust": SPOT}, {wide: severity, "dust": 0.9}, groups, share)) == found
    assert places({}, {}, groups, share) == {}


def test_a_code_is_the_sum_of_powers_of_two():
    i, c, k = DETAILS
    assert ((), (i,), (c,), (i, c), (k,), (i, k), (c, k), (i, c, k)) == REPAIRS


@pytest.mark.parametrize("detail", DETAILS)
def test_all_defects_of_a_detail_go_and_no_other(detail):
    every = dict.fromkeys(DEFECTS, 0.5)
    left = R.without(every, [detail])
    assert {name for name, value in left.items() if value == 0} == set(GROUPS[detail])
    assert list(left) == list(every)
    assert R.without(every, []) == every
    with pytest.raises(ValueError, match="artifact"):
        R.without(every, ["artifact"])


@pytest.mark.parametrize("removed", sorted(DEFECTS))
@pytest.mark.parametrize("stays", ["flash_spot", "motion", "haze", "dust", "rainbow", "under_exposure"])
def test_the_random_numbers_of_a_defect_do_not_depend_on_the_others(removed, stays):
    """The mask of what stays is the same to the bit, whatever else was there before it."""
    alone, both = photograph({stays: 0.7}), photograph({removed: 0.6} | {stays: 0.7})
    assert both.masks[stays].any()
    assert np.array_equal(both.masks[stays], alone.masks[stays])
    assert np.array_equal(photograph({removed: 0.0} | {stays: 0.7}).image, alone.image)


def test_after_a_repair_the_photograph_is_one_that_never_had_the_defect():
    one = photograph({"defocus": 0.8, "flash_spot": 0.6, "dust": 0.7})
    assert np.array_equal(R.recapture(one, ["clarity"]), photograph({"flash_spot": 0.6, "dust": 0.7}).image)
    assert np.array_equal(R.recapture(one, []), one.image)
    assert np.array_equal(R.recapture(one, ["contrast"]), one.image)  # it has no defect of contrast
    assert not np.array_equal(R.recapture(one, ["clarity"]), one.image)
    assert np.array_equal(R.recapture(one, DETAILS), photograph({"dust": 0.7}).image)


def test_eye_camera_and_exposure_stay(grades, truth):
    chosen = R.spoilt_details(truth).any(axis=1) & truth[[*GROUPS["artifact"]]].eq(0).all(axis=1)
    again = case(grades.root, truth["image_id"][chosen].iloc[0])
    assert np.array_equal(R.recapture(again, DETAILS), again.clean)


def test_the_first_recapture_is_the_curated_photograph_itself(details, store):
    """Same JPEG, same field of view, same crop and size as chapter 01: equal to the bit."""
    n_spoilt = R.spoilt_details(read(details).set_index("image_id").loc[store.manifest["image_id"]]).sum(
        axis=1
    )
    for row in (np.argmax(n_spoilt), np.argmin(n_spoilt)):
        images = R.recaptures(details.root, store.manifest["image_id"][row], 48)
        assert images.shape == (8, 48, 48, 3)
        assert np.array_equal(images[0], store.images[row])


def test_recaptures_differ_where_a_spoilt_detail_is_repaired(grades, truth):
    """Also where a detail has no defect: then its repair is the same as leaving it out."""
    spoilt = R.spoilt_details(truth)
    strength = truth[[f"perceived_{detail}" for detail in DETAILS]].to_numpy()
    k = int(np.argmax(np.where(spoilt.sum(axis=1) == 2, np.sort(strength, axis=1)[:, 1], -1)))
    assert strength[k][spoilt[k]].min() > 0.1, "too faint a defect to be seen"
    images = R.recaptures(grades.root, truth["image_id"].iloc[k], 48)
    for code, details in enumerate(REPAIRS):
        touched = tuple(detail for detail in details if spoilt[k, DETAILS.index(detail)])
        assert np.array_equal(images[code], images[0]) == (not touched)
        assert np.array_equal(images[code], images[REPAIRS.index(touched)])


def test_a_photograph_that_cannot_be_curated_is_reported(grades, truth, monkeypatch):
    monkeypatch.setattr(R, "curate_photograph", lambda path, size: (None, {"reason": "no field"}))
    assert R.recaptures(grades.root, truth["image_id"].iloc[0], 48) is None


def test_scores_after_repairs_are_those_of_the_severities_left(truth):
    names = [*GROUPS["illumination"]], [*GROUPS["clarity"]], [*GROUPS["contrast"]]
    spoilt = np.stack([(truth[one] > 0).to_numpy().any(axis=1) for one in names], axis=1)
    assert np.array_equal(R.spoilt_details(truth), spoilt), "any severity at all"
    scores = R.repaired_scores(truth)
    assert scores.shape == (len(truth), 8)
    assert scores[:, 0] == pytest.approx(truth["overall_score"])
    for code, groups in ((2, ("illumination", "contrast", "artifact")), (7, ("artifact",))):
        left = {name: truth[name].to_numpy() for group in groups for name in GROUPS[group]}
        assert scores[:, code] == pytest.approx(overall_score(left))
    assert (np.diff(scores[:, [0, 1, 3, 7]], axis=1) <= 1e-12).all(), "a repair never hurts"


def test_a_real_photograph_that_was_spoilt_can_be_taken_again(simulated, source):
    truth = read(simulated)
    image_id = truth["image_id"][int(np.argmax(R.spoilt_details(truth).sum(axis=1)))]
    images = R.recaptures(simulated.root, image_id, 48, source_root=source.root)
    assert not np.array_equal(images[7], images[0])
