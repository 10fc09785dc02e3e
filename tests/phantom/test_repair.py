"""Masks lie where defects lie on the curated image, and a repair takes defects away and nothing else."""

import numpy as np
import pandas as pd
import pytest

from riqa.data.curate import curate
from riqa.data.fields import curated_fields
from riqa.data.fov import read_and_crop
from riqa.labels import DETAILS
from riqa.phantom import repair as R  # noqa: N812
from riqa.phantom.degrade import DEFECTS, GROUPS
from riqa.phantom.photograph import Case, case, write_jpeg
from riqa.phantom.raters import overall_score
from riqa.phantom.repair import EVERYWHERE, REPAIRS

from .conftest import read

EVERY = tuple(GROUPS)


@pytest.fixture(scope="module")
def store(details):
    return curate(details, details.root.parent / "store", 48)


@pytest.fixture(scope="module")
def truth(grades):
    return read(grades)


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
SPOT = np.pad([[1.0]], [(0, 3), (0, 3)])


def places(masks, severities, groups, share, field=FIELD):
    nothing = np.zeros((4, 4, 3), np.uint8)
    return R.regions(Case(nothing, nothing, field, masks, severities, ("", 0, 0), {}), field, groups, share)


def test_regions_are_cut_at_half_and_joined():
    field = FIELD.copy()
    field[3] = False
    spot, rim = np.zeros((4, 4)), np.zeros((4, 4))
    spot[0] = [0.8, 0.4, 0.39, 0]
    rim[3], rim[2, 0] = 0.9, 0.2  # the strongest part is outside the field
    spoilt = {"flash_spot": spot, "rainbow": rim}, {"flash_spot": 0.8, "rainbow": 0.6}
    found = places(*spoilt, ("illumination", "artifact"), 0.5, field)
    expected = {"flash_spot": [[0, 0], [0, 1]], "rainbow": [[2, 0]], "any": [[0, 0], [0, 1], [2, 0]]}
    assert {name: np.argwhere(region).tolist() for name, region in found.items()} == expected


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


def test_a_case_with_all_defects_taken_away_is_the_clean_photograph(grades, truth):
    again = case(grades.root, truth["image_id"][truth["overall_score"].idxmax()])
    assert not np.array_equal(again.image, again.clean)
    assert np.array_equal(again.spoil(again.severities).image, again.image)
    assert np.array_equal(again.spoil({}).image, again.clean)


def test_recaptures_start_with_the_curated_photograph_and_differ_where_a_spoilt_detail_is_repaired(
    details, store, tmp_path
):
    """Same JPEG, field of view, crop and size as chapter 01: equal to the bit; a repair of nothing is none."""
    truth = read(details).set_index("image_id").loc[store.manifest["image_id"]]
    spoilt = R.spoilt_details(truth)
    strength = truth[[f"perceived_{detail}" for detail in DETAILS]].to_numpy()
    two = int(np.argmax(np.where(spoilt.sum(axis=1) == 2, np.sort(strength, axis=1)[:, 1], -1)))
    assert strength[two][spoilt[two]].min() > 0.1, "too faint a defect to be seen"
    for k in (two, np.argmax(spoilt.sum(axis=1)), np.argmin(spoilt.sum(axis=1))):
        images = R.recaptures(details.root, truth.index[k], 48)
        assert images.shape == (8, 48, 48, 3)
        assert np.array_equal(images[0], store.images[k])
        for code, repaired in enumerate(REPAIRS):
            touched = tuple(detail for detail in repaired if spoilt[k, DETAILS.index(detail)])
            assert np.array_equal(images[code], images[REPAIRS.index(touched)])
            assert k != two or np.array_equal(images[code], images[0]) == (not touched)
        one = case(details.root, truth.index[k])
        artifacts = {name: value for name, value in one.severities.items() if DEFECTS[name] == "artifact"}
        write_jpeg(tmp_path / "x.jpg", one.spoil(artifacts).image)
        assert np.array_equal(images[7], read_and_crop(tmp_path / "x.jpg", 48)[0]), "it never had the others"


def test_a_photograph_that_cannot_be_curated_is_reported(grades, truth, monkeypatch):
    monkeypatch.setattr(R, "curate_photograph", lambda path, size: (None, {"reason": "no field"}))
    assert R.recaptures(grades.root, truth["image_id"].iloc[0], 48) is None


def test_scores_after_repairs_are_those_of_the_severities_left(truth):
    spoilt = [(truth[[*GROUPS[detail]]] > 0).to_numpy().any(axis=1) for detail in DETAILS]
    assert np.array_equal(R.spoilt_details(truth), np.stack(spoilt, axis=1)), "any severity at all"
    scores = R.repaired_scores(truth)
    assert scores.shape == (len(truth), 8)
    assert scores[:, 0] == pytest.approx(truth["overall_score"])
    for code, repaired in enumerate(REPAIRS):
        left = {name: truth[name].to_numpy() for name, group in DEFECTS.items() if group not in repaired}
        assert scores[:, code] == pytest.approx(overall_score(left))
    assert (np.diff(scores[:, [0, 1, 3, 7]], axis=1) <= 1e-12).all(), "a repair never hurts"


def test_a_real_photograph_that_was_spoilt_can_be_taken_again(simulated, source):
    truth = read(simulated)
    image_id = truth["image_id"][int(np.argmax(R.spoilt_details(truth).sum(axis=1)))]
    images = R.recaptures(simulated.root, image_id, 48, source_root=source.root)
    assert not np.array_equal(images[7], images[0])
