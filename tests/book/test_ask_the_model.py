"""The page "Ask the model", used as a reader would from a file, and its numbers held against Python."""

import json
import os
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from riqa.assess.advice import advice
from riqa.assess.answers import Answer, assess, open_session
from riqa.assess.in_page import in_page
from riqa.data.fov import NoFieldError, find_fov
from riqa.data.read import read_photograph
from riqa.data.store import open_store
from riqa.evaluate.explain import grad_cam
from riqa.labels import DETAILS
from riqa.learn.model import QualityNet, save_model
from tests.book.test_pages import visit

pytestmark = pytest.mark.book

STUDENT = "05_train_multi_task/models/multi_task-phantom_grades-s0"


@pytest.fixture(scope="module")
def page(smoke, browser):
    """The page, opened from its file."""
    with visit(browser, f"file://{smoke.html}", "book/ask_the_model.html") as (opened, wrong):
        yield opened
        assert not wrong


@pytest.fixture(scope="module")
def crops(smoke):
    """A hundred crops, uint8 (100, side, side, 3), of which three are no photographs."""
    images = np.array(open_store(smoke.work / "01_curate_images/stores/phantom_grades").images)
    images = images[np.arange(100) % len(images)]
    rng = np.random.default_rng(0)
    images[np.arange(100) >= len(images)] //= 2  # where the set is small, darker ones
    images[0], images[1], images[2] = rng.integers(0, 256, images[0].shape), 0, 128
    return images


def rgba(images):
    full = np.full((*images.shape[:3], 1), 255, np.uint8)
    return np.concatenate([images, full], axis=3).reshape(len(images), -1).tolist()


@pytest.fixture(scope="module")
def answers(page, crops):
    return page.evaluate(
        """crops => { const student = riqa.openStudent(riqa.told); return crops.map(crop => {
             const { seen, ...answer } = riqa.assess(student, crop);
             const cam = (task, k) => Array.from(student.network.gradCam(seen, task, k)?.cells ?? []);
             return { ...answer, logits: seen.logits, maps: [cam("details", 0), cam("overall", 0)] };
           }); }""",
        rgba(crops),
    )


def test_a_hundred_answers_are_those_of_python(smoke, crops, answers, tmp_path, monkeypatch):
    monkeypatch.setattr("riqa.learn.predict.resolve_precision", lambda *_: "float32")  # as browsers compute
    (tmp_path / "photograph.png").write_bytes(b"")
    session = open_session(smoke.work / STUDENT, [tmp_path])
    wanted = list(assess(session, [Answer(tmp_path, crop=crop) for crop in crops]))
    limit = session.novelty.threshold()
    n_abstain = 0
    for found, want in zip(answers, wanted, strict=True):
        if abs(max(found["scores"]) - limit) < 1e-3:
            continue  # on the edge, where rounding decides
        assert found.get("reason") == want.reason
        n_abstain += bool(want.reason)
        if not want.reason:
            for name in ("overall", "details"):
                assert found[name] == pytest.approx(dict(getattr(want, name)), abs=1e-3)
            close = any(abs(p - 0.5) < 1e-4 for p in want.details.values())
            assert close or found["advice"] == want.advice
    assert 3 <= n_abstain < 90


def test_maps_and_logits_are_those_of_python(smoke, crops, answers):
    model = open_session(smoke.work / STUDENT, [smoke.html / "index.html"]).model
    images = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        logits = model(images)
    for task in ("overall", "details"):
        np.testing.assert_allclose([a["logits"][task] for a in answers], logits[task], atol=1e-4)
    side = crops.shape[1]
    for k, task in enumerate(("details", "overall")):
        for answer, want in zip(answers, grad_cam(model, images, task=task, target=0), strict=True):
            cells = np.array(answer["maps"][k], np.float32)
            if not len(cells):
                assert not want.any()
                continue
            n = round(len(cells) ** 0.5)
            found = cv2.resize(cells.reshape(n, n), (side, side))
            spread = max(np.ptp(found), 1e-7)
            np.testing.assert_allclose((found - found.min()) / spread, want, atol=1e-3)


def test_advice_is_that_of_python(page):
    cases = []
    for ps, overall, likely in product(
        product((0.2, 0.4, 0.9), repeat=3), ("reject", "usable", "good"), DETAILS
    ):
        cases.append((dict(zip(DETAILS, ps, strict=True)), overall, likely))
    cases += [({}, overall, None) for overall in ("reject", "bad", "usable", "good")]
    found = page.evaluate("cases => cases.map(one => riqa.advice(riqa.told, ...one))", cases)
    assert found == [advice(*case) for case in cases]


def test_a_reader_asks_moves_the_circle_and_brings_a_photograph(page, tmp_path):
    told, size = page.locator("[data-part=told]"), page.get_by_label("size")
    assert "phantom model" in page.locator("[data-part=warning]").inner_text().lower()
    page.locator("[data-part=examples] button").first.click()
    page.wait_for_function("document.querySelector('[data-part=told]').textContent")
    before = page.locator("[data-part=numbers]").inner_text(), told.inner_text()
    size.focus()
    radius = float(size.input_value())
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    assert float(size.input_value()) == radius - 12
    page.get_by_label("where the model looks").uncheck()
    assert (page.locator("[data-part=numbers]").inner_text(), told.inner_text()) != before

    disc = cv2.circle(np.zeros((300, 400, 3), np.uint8), (220, 150), 120, (40, 90, 200), -1)
    cv2.imwrite(str(tmp_path / "disc.png"), disc)
    page.locator("[data-part=file]").set_input_files(tmp_path / "disc.png")
    page.wait_for_function("document.querySelector('[data-part=told]').textContent.startsWith('disc.png')")
    circle = [float(page.locator(f"[data-part={part}]").input_value()) for part in "xyr"]
    assert circle == pytest.approx([220, 150, 120], abs=1.5)
    if "abstains" in told.inner_text():
        page.get_by_label("let it answer").check()
    assert page.locator("[data-part=numbers] tr").count() == 6
    (tmp_path / "text.png").write_text("no picture")
    page.locator("[data-part=file]").set_input_files(tmp_path / "text.png")
    page.wait_for_function("document.querySelector('[data-part=told]').textContent.includes('cannot read')")


@pytest.mark.skipif("RIQA_DATA" not in os.environ, reason="needs real photographs (RIQA_DATA)")
def test_the_circle_lies_on_the_rim_of_real_photographs(page):
    off = {}
    for path in sorted((Path(os.environ["RIQA_DATA"]) / "photographs").glob("*.*g")):
        try:
            field = find_fov(read_photograph(path, 512))
        except NoFieldError:
            continue
        if field is None or field.score < 0.9:
            continue
        page.locator("[data-part=file]").set_input_files(path)
        page.wait_for_function(
            f"document.querySelector('[data-part=told]').textContent.startsWith('{path.name}')"
        )
        *_, radius = (float(page.locator(f"[data-part={part}]").input_value()) for part in "xyr")
        width = page.evaluate("document.querySelector('[data-part=photograph]').width")
        shown = page.evaluate("Number(document.querySelector('[data-part=x]').max)")
        assert width <= 640
        off[path.name] = abs(radius / shown - field.radius / field.shape[1])
    assert len(off) >= 12
    assert np.median(list(off.values())) < 0.005
    assert sum(gap > 0.03 for gap in off.values()) <= len(off) // 6


def test_a_network_that_pages_cannot_compute_says_so(tmp_path):
    model = QualityNet("vit_tiny", 3, 3, image_size=32)
    save_model(model, tmp_path / "student", drawn=True)
    script = in_page(tmp_path / "student")
    told = json.loads(script.split("riqa.told = ")[1].rstrip(";\n"))
    assert "vit_tiny" in told["unable"]


def test_a_reader_explores_what_people_and_the_student_say(smoke, browser):
    with visit(browser, f"file://{smoke.html}", "book/explore_photographs.html") as (page, wrong):
        images = page.evaluate("riqa.explorer.images")
        shown = page.locator("[data-part=list] button")
        assert shown.count() == len(images)
        page.locator("[data-part=question]").select_option("clarity")
        page.locator("[data-part=truth]").select_option("good")
        wanted = [one for one in images if one["truth"]["clarity"] == 1]
        assert shown.count() == len(wanted) > 0
        page.get_by_label("only where they differ").check()
        apart = sum(one["called"]["clarity"] == 0 for one in wanted)
        assert shown.count() == apart
        assert page.locator("[data-part=count]").inner_text() == f"{apart} of {len(images)} photographs"
        page.get_by_label("only where they differ").uncheck()
        shown.first.focus()
        page.keyboard.press("Enter")
        assert wanted[0]["id"] in page.locator("[data-part=told]").inner_text()
        assert page.locator("[data-part=numbers] tr").count() == 6
        near = page.locator("[data-part=near] button")
        assert near.count() == len(wanted[0]["near"]) == 8
        assert images[wanted[0]["near"][0]]["id"] in near.first.get_attribute("aria-label")
        assert not wrong
