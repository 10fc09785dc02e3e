import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks.fov_accuracy import overlap
from riqa.data.fov import NoFieldError, find_fov, read_and_crop
from tests.data.composites import FIELDS, PAGES, phantom, tight
from tests.data.photographs import disc

SEED = 8101  # looked at while the tests of `alone` were made: 501, 601, 602
N_PHANTOMS, N_EACH = 32, 6


@pytest.fixture(scope="module")
def phantoms():
    """Return phantoms of all cameras with defects of any severity, and their fields."""
    return [phantom(SEED, number) for number in range(N_PHANTOMS)]


@pytest.fixture(scope="module")
def composites(phantoms):
    """Return a function that makes some composites of a layout."""

    def make(name):
        for number in range(N_EACH):
            rng = np.random.default_rng((SEED, number, len(name)))
            order = iter(rng.permutation(N_PHANTOMS))
            yield (FIELDS | PAGES)[name](lambda order=order: phantoms[next(order)], rng)

    return make


def test_several_fields_get_no_answer_of_one(composites):
    shown = [(name, image) for name in FIELDS for image in composites(name)]
    answered = [name for name, image in shown if find_fov(image) is not None]
    assert len(answered) <= 0.08 * len(shown), answered


def test_a_page_or_screen_is_cropped_to_its_photograph_or_not_at_all(composites):
    found = [(name, find_fov(image), mask) for name in PAGES for image, mask in composites(name)]
    wrong = [name for name, fov, mask in found if fov is not None and overlap(fov, mask) < 0.94]
    assert len(wrong) <= 0.08 * len(found), wrong


def test_ordinary_phantoms_are_all_read(phantoms):
    for image, mask in phantoms:
        white = np.where(mask[..., None], image, np.uint8(255))
        font = cv2.FONT_HERSHEY_SIMPLEX
        numbered = cv2.putText(image.copy(), "00271", (4, 20), font, 0.6, (255, 220, 0), 2)
        for shown in (image, white, numbered):
            assert overlap(find_fov(shown), mask) > 0.94


@pytest.mark.parametrize(("scale", "beside"), [(1.0, True), (0.5, True), (0.25, False)])
def test_a_second_disc_is_told_by_its_size_and_light(scale, beside):
    image, mask = disc(200, 420, center=(100, 100), radius=85)
    assert overlap(find_fov(image), mask) > 0.97
    other, _ = disc(200, 420, center=(300, 100), radius=85 * scale, level=150 if beside else 5)
    both = np.maximum(image, other)
    assert (find_fov(both) is None) == beside


def test_light_that_fades_and_reflections_at_the_rim_are_no_second_field():
    image, mask = disc(200, 300, radius=80, level=170)
    ys, xs = np.mgrid[:200, :300]
    away = np.hypot(xs - 149.5, ys - 99.5) - 80
    glow = image + 60 * np.exp(-away / 15)[..., None] * ~mask[..., None]
    assert overlap(find_fov(glow.astype(np.uint8)), mask) > 0.95
    crescent = (away > 1) & (away < 7) & (np.abs(ys - 99.5) < 20) & (xs > 150)
    assert overlap(find_fov(np.where(crescent[..., None], np.uint8(230), image)), mask) > 0.95


def test_two_photographs_on_a_page_are_told():
    canvas = np.full((600, 500, 3), 255, np.uint8)
    canvas[60:210, 80:280] = canvas[350:500, 80:280] = disc(150, 200, radius=60)[0]
    assert find_fov(canvas) is None


def test_the_reason_is_told(tmp_path, phantoms):
    pieces = [cv2.resize(tight(picture)[0], (240, 240)) for picture in phantoms[:2]]
    Image.fromarray(np.hstack(pieces)).save(tmp_path / "pair.png")
    with pytest.raises(NoFieldError, match="not one photograph: several fields of view, or a"):
        read_and_crop(tmp_path / "pair.png", 64)
