"""The pages "Degrade a photograph" and "Grade twelve", used as a reader would, their numbers held against Python."""

import csv
from itertools import product

import cv2
import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import cohen_kappa_score

from riqa.data.adapters.table import read_table
from riqa.data.fov import crop_to_fov, find_fov
from riqa.evaluate.agreement import gwet_ac1, vote_counts
from riqa.labels import DETAILS
from riqa.phantom.degrade import _Field
from riqa.phantom.photograph import Exposure, render_clean
from riqa.phantom.raters import EXPERTS, GRADE_THRESHOLDS, THRESHOLD, WEIGHTS
from tests.book.test_pages import visit

pytestmark = pytest.mark.book

SIDE = 96


class Middle:
    """Draws what lies in the middle, as the page does."""

    def uniform(self, low=0.0, high=1.0, size=None):
        middle = (np.asarray(low, float) + np.asarray(high, float)) / 2
        return middle if size is None else np.full(size, middle)

    def random(self):
        return 0.5

    def integers(self, low, high):
        return low

    def normal(self, mean, spread, size):
        return np.zeros(size)

    def standard_normal(self, shape, dtype):
        return np.zeros(shape, dtype)


@pytest.fixture(scope="module")
def spoiling(smoke, browser):
    with visit(browser, f"file://{smoke.html}", "book/degrade_a_photograph.html") as (opened, wrong):
        yield opened
        assert not wrong


@pytest.fixture
def grading(smoke, browser):
    with visit(browser, f"file://{smoke.html}", "book/grade_twelve.html", accept_downloads=True) as (
        opened,
        wrong,
    ):
        yield opened
        assert not wrong


@pytest.fixture(scope="module")
def clean():
    """A crop and its field, which touches all four sides."""
    photograph = render_clean(
        Exposure("phantom_details", 0, 1, 1, "right", "macula", "tabletop_b", 192)
    ).image
    y, x = np.indices((SIDE, SIDE)) - (SIDE - 1) / 2
    field = np.hypot(x, y) <= SIDE / 2
    return crop_to_fov(photograph, find_fov(photograph), SIDE) * field[..., None], field


@pytest.mark.parametrize(
    "defect",
    ["defocus", "motion", "haze", "flat_gamma", "under_exposure", "vignette", "pupil_crescent", "flash_spot"],
)
@pytest.mark.parametrize("severity", [0.2, 0.7])
def test_defects_are_those_of_the_phantom(spoiling, clean, defect, severity):
    image, inside = clean
    field = _Field(image, inside)
    field.spoil(defect, severity, Middle())
    wanted = np.rint(field.pixels).transpose(1, 2, 0)
    rgba = np.dstack([image, np.full(inside.shape, 255, np.uint8)]).ravel().tolist()
    found = spoiling.evaluate(
        "([rgba, inside, side, severities]) => Array.from(riqa.degrade(rgba, inside, side, severities))",
        [rgba, inside.astype(int).ravel().tolist(), SIDE, {defect: severity}],
    )
    off = np.abs(np.reshape(found, (SIDE, SIDE, 4))[..., :3] - wanted)[inside]
    assert off.mean() < 0.3
    assert np.abs(wanted - image)[inside].mean() > 1
    assert np.quantile(off, 0.99) <= 4


def test_what_experts_say_follows_from_their_thresholds(spoiling):
    for detail, severity in product(DETAILS, (0.0, 0.3, 0.45, 0.8)):
        found = spoiling.evaluate("([d, s]) => riqa.callBad(riqa.told.experts, d, s)", [detail, severity])
        noise = dict(zip(EXPERTS.bias.columns, EXPERTS.noise, strict=True))[detail]
        wanted = norm.cdf((severity - THRESHOLD - EXPERTS.bias[detail]) / noise).mean()
        assert found == pytest.approx(wanted, abs=1e-6)


def test_a_reader_spoils_a_photograph_until_people_and_model_notice(spoiling):
    told = spoiling.locator("[data-part=graders]")
    spoiling.wait_for_function("document.querySelector('[data-part=told]').textContent")
    assert "good" in told.inner_text()
    for detail in DETAILS:
        spoiling.locator(f"[data-part={detail}]").fill("0.8")
    score = np.sqrt(sum((0.8 * WEIGHTS[detail]) ** 2 for detail in DETAILS))
    wanted = ["good", "usable", "reject"][sum(score > limit for limit in GRADE_THRESHOLDS)]
    spoiling.wait_for_function(
        "wanted => document.querySelector('[data-part=graders]').textContent.includes(wanted)",
        arg=f"{score:.2f} and say: {wanted}",
    )
    assert spoiling.locator("[data-part=experts] tr").count() == 3
    spoiling.locator("[data-part=clarity-defect]").select_option("motion")
    spoiling.get_by_role("button", name="a real photograph").click()
    spoiling.wait_for_function("document.querySelector('[data-part=told]').textContent.startsWith('a real')")


def grade_all(page, answer):
    n = 0
    while page.locator("[data-part=desk]").is_visible():
        assert n < 40
        for item, said in answer(n).items():
            page.locator(f'fieldset:has(legend:text-is("{item}"))').get_by_label(said).check()
        page.keyboard.press("Enter")
        n += 1
    return n


def test_a_reader_grades_twelve_and_is_compared(grading):
    grading.get_by_role("button", name="Begin").click()

    def answers(n):
        return {"overall": "usable"} | {d: "good" if (n + k) % 3 else "bad" for k, d in enumerate(DETAILS)}

    n_twelve = len(grading.evaluate("riqa.twelve.photographs"))
    assert grade_all(grading, answers) == n_twelve + -(-n_twelve // 4)
    with grading.expect_download() as saved:
        grading.get_by_role("button", name="every look").click()
    looks = list(csv.DictReader(saved.value.path().open()))
    assert len({look["image"] for look in looks}) == n_twelve
    assert sum(look["session"] == "2" for look in looks) == -(-n_twelve // 4)
    said = {look["image"]: look for look in looks if look["session"] == "1"}
    pairs = [
        (said[one["id"]][detail] == "good", value == 1)
        for one in grading.evaluate("riqa.twelve.photographs")
        for detail, value in one["said"]["the truth"].items()
    ]
    rows = [row.split("\t") for row in grading.locator("[data-part=rows]").inner_text().splitlines()]
    of_truth = next(row[1:] for row in rows if row[0] == "the truth")
    mine, truth = np.array(pairs).T
    assert of_truth[:2] == [str(len(pairs)), f"{100 * (mine == truth).mean():.0f} %"]
    assert float(of_truth[2]) == pytest.approx(cohen_kappa_score(mine, truth), abs=0.006)
    assert float(of_truth[3]) == pytest.approx(gwet_ac1(vote_counts(np.array(pairs, float))), abs=0.006)
    assert "second look" in rows[-1][0]


def test_own_photographs_are_graded_into_a_table_that_riqa_reads(grading, tmp_path):
    (tmp_path / "clinic").mkdir()
    for k in range(6):
        image = cv2.circle(np.zeros((80, 80, 3), np.uint8), (40, 40), 30 + k, (30, 60, 120), -1)
        cv2.imwrite(str(tmp_path / "clinic" / f"eye {k}.png"), image)
    grading.locator("[data-part=folder]").set_input_files(tmp_path / "clinic")
    said = ["reject", "usable", "good"]

    def answers(n):
        return {"overall": said[n % 3], **dict.fromkeys(DETAILS, "bad" if n % 2 else "good")}

    assert grade_all(grading, answers) == 8
    assert not grading.locator("[data-part=compared]").is_visible()
    files = []
    grading.on("download", lambda file: files.append(file))
    grading.get_by_role("button", name="Save labels").click()
    grading.wait_for_timeout(500)
    assert sorted(file.suggested_filename for file in files) == ["dataset.yaml", "labels.csv"]
    for file in files:
        file.save_as(tmp_path / "clinic" / file.suggested_filename)
    dataset = read_table(tmp_path / "clinic")
    assert len(dataset.manifest) == 6
    assert dataset.manifest["overall"].notna().all()
    assert dataset.manifest["clarity"].isin([0, 1]).all()


def test_the_printed_sheet_has_every_photograph_and_a_key(grading):
    grading.evaluate("window.print = () => {}")
    grading.get_by_role("button", name="Print").click()
    n = len(grading.evaluate("riqa.twelve.photographs"))
    sheet = grading.locator(".riqa-sheet")
    assert not sheet.is_visible()
    grading.emulate_media(media="print")
    assert sheet.is_visible()
    assert sheet.locator("figure").count() == sheet.locator("li").count() == n
    assert not grading.locator("#grade").is_visible()
