"""Masks lie where defects lie on the curated image, pixel by pixel."""

import numpy as np
import pandas as pd
import pytest

from riqa.data.curate import curate
from riqa.data.fields import curated_fields
from riqa.phantom.degrade import DEFECTS, degrade
from riqa.phantom.masks import EVERYWHERE, LOCALISED, CuratedCase, curated_case, has_place, regions
from riqa.phantom.study import phantom_details


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A details set, curated, in which some photographs have nothing but defects with a place."""
    root = tmp_path_factory.mktemp("masks")
    dataset = phantom_details(root / "photographs", n_train=60, n_test=12, size=128)
    return root / "photographs", curate(dataset, root / "store", 48)


def test_the_case_is_the_image_of_the_store(made):
    root, store = made
    for row, image_id in enumerate(store.manifest["image_id"]):
        np.testing.assert_array_equal(curated_case(root, image_id, 48).image, store.images[row])


def test_masks_lie_where_the_image_was_changed(made):
    """Repairing a photograph outside its masks changes nothing but the noise of JPEG."""
    root, store = made
    fields, seen = curated_fields(store, range(len(store.manifest))), 0
    for field, image_id in zip(fields, store.manifest["image_id"], strict=True):
        case = curated_case(root, image_id, 48)
        if not case.masks or set(case.masks) & set(EVERYWHERE):
            continue
        touched = np.max(list(case.masks.values()), axis=0)
        change = np.abs(case.image.astype(float) - case.clean).mean(axis=2)
        inside = field & (touched > 0.5)
        if inside.any():
            assert change[inside].mean() > 3 * change[field & (touched == 0)].mean()
            seen += 1
    assert seen >= 2


def test_fields_are_what_is_not_black(made):
    _, store = made
    fields = curated_fields(store, range(len(store.manifest)))
    for field, image in zip(fields, store.images, strict=True):
        seen = image.max(axis=2) > 0
        assert (field & seen).sum() / (field | seen).sum() > 0.9 or image[field].mean() < 30  # dark ones
    assert curated_fields(store, []).shape == (0, 48, 48)


def test_defects_are_everywhere_or_have_a_place(fundus):
    for name in DEFECTS:
        for severity in (0.5, 0.9):
            _, masks = degrade(fundus.image, fundus.fov_mask, {name: severity}, np.random.default_rng(3))
            mask = masks[name][fundus.fov_mask]
            share = (mask >= 0.5 * mask.max()).mean()
            assert (share > 0.99) == (name in EVERYWHERE), (name, severity, share)
    assert set(LOCALISED) | set(EVERYWHERE) == set(DEFECTS)


def truth(*rows):
    return pd.DataFrame([dict.fromkeys(DEFECTS, 0.0) | row for row in rows])


def test_who_takes_part():
    table = truth(
        {"dust": 0.8},
        {"dust": 0.4},  # too weak
        {"dust": 0.8, "defocus": 0.7},  # something is everywhere
        {"dust": 0.8, "defocus": 0.4},
        {"vignette": 0.9},
        {"haze": 0.9},
    )
    every = ("illumination", "clarity", "contrast", "artifact")
    assert has_place(table, every).tolist() == [True, False, False, True, True, False]
    assert has_place(table, ("illumination",)).tolist() == [False, False, False, False, True, False]
    assert has_place(table, ("artifact",)).tolist() == [True, False, True, True, False, False]
    assert not has_place(table, ("contrast",)).any()


def case_with(masks, severities):
    image = np.zeros((4, 4, 3), np.uint8)
    return CuratedCase(image, image, {k: np.asarray(v, np.float32) for k, v in masks.items()}, severities)


def test_regions_are_cut_at_half_and_joined():
    field = np.ones((4, 4), bool)
    field[3] = False
    spot, rim = np.zeros((4, 4)), np.zeros((4, 4))
    spot[0] = [0.8, 0.4, 0.39, 0]
    rim[3], rim[2, 0] = 0.9, 0.2  # the strongest part is outside the field
    case = case_with({"flash_spot": spot, "rainbow": rim}, {"flash_spot": 0.8, "rainbow": 0.6})
    found = regions(case, field, ("illumination", "artifact"), 0.5)
    assert np.argwhere(found["flash_spot"]).tolist() == [[0, 0], [0, 1]]
    assert np.argwhere(found["rainbow"]).tolist() == [[2, 0]]
    assert np.argwhere(found["any"]).tolist() == [[0, 0], [0, 1], [2, 0]]
    assert set(regions(case, field, ("artifact",), 0.5)) == {"rainbow", "any"}


def test_no_regions_where_a_strong_defect_is_everywhere():
    field, wide, spot = np.ones((4, 4), bool), np.ones((4, 4)), np.zeros((4, 4))
    spot[0, 0] = 1
    both = case_with({"vignette": wide, "dust": spot}, {"vignette": 0.9, "dust": 0.9})
    every = ("illumination", "artifact")
    assert regions(both, field, every, 0.5) == {}
    assert set(regions(both, field, every, 1.0)) == {"vignette", "dust", "any"}  # the share is alive
    assert set(regions(both, field, ("artifact",), 0.5)) == {"dust", "any"}
    weak = case_with({"vignette": wide, "dust": spot}, {"vignette": 0.2, "dust": 0.9})
    assert set(regions(weak, field, every, 0.5)) == {"dust", "any"}
    blurred = case_with({"defocus": wide, "dust": spot}, {"defocus": 0.9, "dust": 0.9})
    assert regions(blurred, field, ("clarity", "artifact"), 1.0) == {}
    assert regions(case_with({}, {}), field, every, 0.5) == {}
