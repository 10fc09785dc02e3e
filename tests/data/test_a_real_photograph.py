"""The real photograph that comes with scikit-image: cropped, spoilt and assessed as any other."""

import cv2
import numpy as np
import pytest
from skimage.data import retina

from riqa.assess.answers import assess, open_session, read_crop
from riqa.data.fov import find_fov, read_and_crop
from riqa.phantom.degrade import DEFECTS, degrade


@pytest.fixture(scope="module")
def photograph():
    return cv2.resize(retina(), (353, 353), interpolation=cv2.INTER_AREA)


def test_its_field_is_found_where_a_brightness_threshold_puts_it():
    image = retina()
    bright = image.max(axis=2) > 24  # the photograph is healthy, and its margin black
    rows, columns = np.flatnonzero(bright.mean(axis=1) > 0.05), np.flatnonzero(bright.mean(axis=0) > 0.05)
    found = find_fov(image)
    assert found.score > 0.95
    assert found.center == pytest.approx((columns[[0, -1]].mean(), rows[[0, -1]].mean()), abs=8)
    assert (found.mask() & bright).sum() / (found.mask() | bright).sum() > 0.98


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_spoils_it_within_its_field_alone_and_more_with_severity(photograph, defect):
    field, change = find_fov(photograph).mask(), []
    for severity in (0.0, 0.3, 0.9):
        spoilt, _ = degrade(photograph, field, {defect: severity}, np.random.default_rng(1))
        off = np.abs(spoilt.astype(int) - photograph)
        assert not off[~field].any()
        change.append(off[field].mean())
    assert change[0] == 0 < change[1] < change[2]


def test_a_model_is_asked_about_it(photograph, lab, tmp_path):
    path = tmp_path / "retina.png"
    cv2.imwrite(str(path), photograph[..., ::-1])
    session = open_session(lab.stem, [path])
    side = session.model.architecture["image_size"]
    read = read_crop(path, side)
    np.testing.assert_array_equal(read.crop, read_and_crop(path, side)[0])
    (answer,) = assess(session, [read])
    assert answer.reason or sum(answer.overall.values()) == pytest.approx(1)
    assert answer.advice
