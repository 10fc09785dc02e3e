import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.data.fov import FieldOfView, crop_to_fov, find_fov
from riqa.data.read import read_photograph
from riqa.phantom.study import phantom_details
from tests.data.photographs import disc


def iou(image, mask):
    """Return intersection over union of the field found and the true mask; 0 when none is found."""
    found = find_fov(image)
    return 0.0 if found is None else (found.mask() & mask).sum() / (found.mask() | mask).sum()


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(100, 260),
    width=st.integers(100, 260),
    size=st.floats(0.3, 0.52),
    level=st.floats(25, 240),
    noise=st.floats(0, 2),
)
def test_disc_of_any_size_and_brightness_is_found(height, width, size, level, noise):
    image, mask = disc(height, width, radius=size * min(height, width), level=level, noise=noise)
    assert iou(image, mask) > 0.97


def test_circle_is_found_to_a_part_of_a_pixel():
    image, _ = disc(200, 240, center=(110.3, 97.6), radius=80.4)
    found = find_fov(image)
    assert np.allclose(found.center, (110.3, 97.6), atol=0.4)
    assert abs(found.radius - 80.4) < 0.6


def test_large_photograph_is_measured_in_its_own_pixels():
    image, mask = disc(900, 1300, center=(640, 450), radius=420)
    found = find_fov(image)
    assert np.allclose((*found.center, found.radius), (640, 450, 420), atol=3)
    assert iou(image, mask) > 0.99


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_straight_bar_is_found_on_each_side(side):
    image, mask = disc(200, 200, radius=90)
    keep = np.ones_like(mask)
    region = {"top": np.s_[:40], "bottom": np.s_[160:], "left": np.s_[:, :40], "right": np.s_[:, 160:]}[side]
    keep[region] = False
    image[~keep] = 0
    assert iou(image, mask & keep) > 0.985
    left, top, right, bottom = find_fov(image).box
    wanted = {"top": (0, 40, 200, 200), "bottom": (0, 0, 200, 160)}
    wanted |= {"left": (40, 0, 200, 200), "right": (0, 0, 160, 200)}
    assert np.allclose((left, top, right, bottom), wanted[side], atol=1)


def test_circle_cut_by_the_photograph_itself():
    image, mask = disc(150, 220, radius=100)
    assert iou(image, mask) > 0.985
    tight, tight_mask = disc(161, 161, radius=80.5)
    assert iou(tight, tight_mask) > 0.98


def test_notch_haze_and_dark_crescent_do_not_move_the_circle():
    image, mask = disc(200, 240, radius=85)
    notched = image.copy()
    cv2.rectangle(notched, (185, 30), (200, 45), (150, 90, 60), -1)
    assert iou(notched, mask) > 0.98
    hazy = image.copy()
    hazy[:90][mask[:90]] = 250
    assert iou(hazy, mask) > 0.98
    crescent = image.astype(float)
    ys, xs = np.ogrid[:200, :240]
    crescent[(xs - 220) ** 2 + (ys - 100) ** 2 < 70**2] *= 0.02
    assert iou(crescent.astype(np.uint8), mask) > 0.97


@pytest.mark.parametrize("margin", [(55, 0, 50), (250, 250, 250)])
def test_coloured_and_white_margins(margin):
    image, mask = disc(200, 240, radius=85, level=120)
    image[~mask] = margin
    assert iou(image, mask) > 0.98


def test_speckled_margin_as_after_enhancement():
    image, mask = disc(200, 240, radius=70, level=200)
    speckles = np.random.default_rng(0).random(mask.shape) < 0.15
    image[speckles & ~mask] = 130
    assert iou(image, mask) > 0.97


def test_nothing_that_is_no_field_is_returned():
    rng = np.random.default_rng(0)
    assert find_fov(np.zeros((120, 160, 3), np.uint8)) is None
    assert find_fov(np.full((120, 160, 3), 255, np.uint8)) is None
    assert find_fov(rng.integers(0, 255, (120, 160, 3)).astype(np.uint8)) is None
    strip = np.zeros((160, 160, 3), np.uint8)
    strip[60:70] = rng.integers(60, 255, (10, 160, 3))
    assert find_fov(strip) is None
    square = np.zeros((160, 160, 3), np.uint8)
    square[30:130, 30:130] = 150
    assert find_fov(square) is None
    assert find_fov(np.zeros((5, 5, 3), np.uint8)) is None


def test_same_photograph_gives_the_same_field():
    image, _ = disc(seed=4, noise=3)
    assert find_fov(image) == find_fov(image.copy())


def test_wrong_arrays_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        find_fov(np.zeros((10, 10, 3)))
    fov = FieldOfView((10, 10), (5, 5), 4, (0, 0, 10, 10), 1.0)
    with pytest.raises(ValueError, match="found on"):
        crop_to_fov(np.zeros((9, 10, 3), np.uint8), fov, 8)
    with pytest.raises(ValueError, match="size"):
        crop_to_fov(np.zeros((10, 10, 3), np.uint8), fov, 0)


def test_crop_keeps_the_aspect_ratio_and_blackens_the_outside():
    image = np.full((100, 200, 3), 200, np.uint8)
    fov = FieldOfView((100, 200), (100.0, 50.0), 60.0, (0, 0, 200, 100), 1.0)
    crop = crop_to_fov(image, fov, 121)
    assert crop.shape == (121, 121, 3)
    lit = crop[..., 0] > 100
    # The circle is 121 pixels wide and cut to the 100 rows of the photograph, which end up in the middle.
    assert abs(lit.any(axis=0).sum() - 121) <= 1
    assert abs(lit.any(axis=1).sum() - 100) <= 1
    assert abs(np.flatnonzero(lit.any(axis=1)).mean() - 60) <= 1
    assert crop[0].max() == 0
    assert crop[60, 60, 0] == 200
    assert crop[12, 2, 0] == 0


def test_size_of_the_crop_is_alive_and_enlarging_works():
    image, _ = disc()
    fov = find_fov(image)
    assert crop_to_fov(image, fov, 32).shape == (32, 32, 3)
    assert crop_to_fov(image, fov, 300)[150, 150].min() > 20


def test_phantoms_are_found_where_they_were_put(tmp_path):
    phantom_details(tmp_path / "set", n_train=60, n_test=4, seed=3, size=192)
    truth = pd.read_parquet(tmp_path / "set" / "truth.parquet")
    scores = []
    for row in truth.itertuples():
        ys, xs = np.ogrid[: int(row.height), : int(row.width)]
        mask = (xs - row.fov_x) ** 2 + (ys - row.fov_y) ** 2 <= row.fov_radius**2
        if row.fov_cut < 1:
            mask &= np.abs(ys - row.fov_y) <= row.fov_cut * row.fov_radius
        scores.append(iou(read_photograph(tmp_path / "set" / "images" / f"{row.image_id}.jpg"), mask))
    assert np.median(scores) > 0.985
    assert np.quantile(scores, 0.02) > 0.93
