"""Answers as one page: it needs nothing else, says everything, and shows what most speaks against a photograph."""

import base64
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from riqa.assess import page as module
from riqa.assess.answers import Answer, Session, Unreadable, assess, read_crop
from riqa.assess.page import SIDE, Card, card, crop_for_page, data_uri, overlay, speaks_against, write_page
from riqa.data.fov import read_and_crop
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.learn.model import load_model
from tests.data.expect import refused

FACTS = {"model_name": "m-s0", "summary": "2 photographs: 1 good, 1 without answer", "unreadable": ()}
EVIL = "<script>alert('x')</script>.jpg"
GOOD = Answer(Path(EVIL), {"bad": 0.1, "good": 0.9}, {"clarity": 0.3}, ["out of focus: refocus and retake"])
NONE = Answer(Path("a.jpg"), {}, {}, ["look"], "no fundus")
PICTURE = "data:image/jpeg;base64,AA"


class _Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        assert self.open == [], "unclosed tags"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def model(lab):
    return load_model(lab.stem)[0]


@pytest.fixture(scope="module")
def judged(lab, model):
    return list(assess(Session(model), [read_crop(path, 32) for path in lab.photographs(6)]))


def page(tmp_path, cards, notes=(), most_pictures=100, **facts):
    write_page(tmp_path / "page.html", cards, notes, most_pictures=most_pictures, **(FACTS | facts))
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    return text, _Tags(text).tags, re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.partition("<body>")[2]))


def test_a_page_asks_nothing_of_the_world(judged, model, tmp_path):
    _, tags, _ = page(tmp_path, [card(model, answer, picture=True) for answer in judged[:3]])
    pictures = [attributes for tag, attributes in tags if tag == "img"]
    assert len(pictures) == 6
    assert all(one["src"].startswith("data:image/jpeg;base64,") and one["alt"] for one in pictures)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in tags}
    assert not [value for _, attributes in tags for value in attributes.values() if "http:" in (value or "")]
    (policy,) = [a["content"] for _, a in tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


def test_names_of_files_are_text(tmp_path):
    odd = Path(os.fsdecode(b"M\xfcller.jpg"))  # no UTF-8
    cards = [Card(GOOD), Card(replace(GOOD, path=odd), "all", PICTURE, None, "x")]
    files = [Unreadable(Path("<b>"), "not an <image>"), Unreadable(odd, "torn")]
    text, _, _ = page(tmp_path, cards, unreadable=files, model_name=os.fsdecode(b"m\xff"))
    assert "<script" not in text
    for expected in ("&lt;script&gt;", "&lt;b&gt;: not an &lt;image&gt;", "m\ufffd"):
        assert expected in text
    assert text.count("M\ufffdller.jpg") == 3


def test_everything_that_is_said_is_there(tmp_path):
    warned = replace(NONE, warning="phantom model: beware")
    ranks = {"clarity": {"reject": 0.66, "good": 0.02}, "contrast": {"reject": 0.4, "good": 0.31}}
    cards = [Card(replace(GOOD, ranks=ranks)), Card(warned, note="no maps"), Card(warned, note="no maps")]
    text, _, told = page(tmp_path, cards, ["beware of it"])
    share = "share of the training photographs that are worse of those graded reject of those graded good"
    for expected in (
        *("overall good", "good 0.90 bad 0.10", "clarity 0.30 bad", "no answer : no fundus"),
        *(share, "clarity 66 % 2 %", "contrast 40 % 31 %"),
        *(*GOOD.advice, *NONE.advice, "Beware of it.", "m-s0", FACTS["summary"]),
    ):
        assert expected in told
    assert told.count("No maps.") == 1
    assert text.count('<p class="note">Phantom model: beware.</p>') == 2
    assert "Pictures are shown" not in told
    assert "Pictures are shown for the first 1 of 3 photographs" in page(tmp_path, cards, most_pictures=1)[2]


def test_a_page_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with refused("page.html cannot be written"):
        write_page(tmp_path / "file" / "page.html", [Card(GOOD)], most_pictures=1, **FACTS)


def test_a_card_without_picture_or_answer_has_no_heat_map(lab, judged, model):
    answer = judged[0]
    assert card(model, answer, picture=False) == Card(answer)
    assert card(model, answer, picture=True).answer.crop is None
    abstained = card(model, replace(answer, reason="unlike"), picture=True)
    assert (bool(abstained.photograph), abstained.heat, abstained.claim) == (True, None, None)
    assert card(model, replace(NONE, path=lab.stem / "gone.png"), picture=True).photograph is None


def test_the_heat_map_is_that_of_what_most_speaks_against(judged, model, monkeypatch):
    asked, real = [], module.grad_cam
    monkeypatch.setattr(
        module, "grad_cam", lambda *seen, **what: asked.append((*seen, what)) or real(*seen, **what)
    )
    for answer in judged:
        made = card(model, answer, picture=True)
        faults = {("details", k): 1 - answer.details[detail] for k, detail in enumerate(DETAILS)}
        faults["overall", 0] = answer.overall["reject"]
        _, images, what = asked.pop()
        assert (what["task"], what["target"]) == max(faults, key=faults.get)
        assert torch.equal(images, torch.from_numpy(answer.crop.transpose(2, 0, 1)[None] / np.float32(255)))
        assert made.claim.endswith(f"{speaks_against(answer)[3]} ({max(faults.values()):.2f})")
    details = {"illumination": 0.9, "clarity": 0.3, "contrast": 0.8}
    answer = Answer(Path("a"), {"reject": 0.6, "usable": 0.3, "good": 0.1}, details, [])
    assert speaks_against(answer) == (pytest.approx(0.7), "details", 1, "clarity is bad")
    answer = replace(answer, overall={"bad": 0.75, "good": 0.25})
    assert speaks_against(answer) == (0.75, "overall", 0, "overall quality is bad")


@pytest.mark.parametrize("cold", [False, True])
def test_where_there_is_no_map_the_card_or_the_page_says_so(judged, model, monkeypatch, cold):
    def refuse(*_, **__):
        if cold:
            return np.zeros((1, 32, 32), np.float32)
        raise InputError("backbone vit has no map")

    monkeypatch.setattr(module, "grad_cam", refuse)
    made = card(model, judged[0], picture=True)
    assert (bool(made.photograph), made.heat) == (True, None)
    assert made.note == (None if cold else "no heat maps: backbone vit has no map")
    assert (made.claim or "").startswith("no place speaks for: " if cold else "")


def test_the_picture_is_the_same_crop_larger_or_without_a_field_the_whole_photograph(lab, tmp_path):
    path = lab.photographs(1)[0]
    small = read_and_crop(path, 32)[0]
    picture = crop_for_page(replace(GOOD, path=path, crop=small))
    assert picture.shape == (SIDE, SIDE, 3)
    again = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(again.astype(int) - small).mean() < 4
    Image.new("RGB", (800, 400), (10, 20, 200)).save(tmp_path / "blue.png")
    picture = crop_for_page(replace(NONE, path=tmp_path / "blue.png"))
    assert picture.shape == (SIDE // 2, SIDE, 3)
    assert (picture == (10, 20, 200)).all()


def test_an_overlay_leaves_what_is_cold_and_what_is_outside_and_a_data_uri_holds_it():
    image = np.full((40, 40, 3), 100, np.uint8)
    image[:, :10] = 0
    heat = np.zeros((4, 4), np.float32)
    assert np.array_equal(overlay(image, heat), image)
    heat[:, 2:] = 1.0
    told = overlay(image, heat)
    assert (told[:, :10] == 0).all()
    assert np.abs(told[:, 35].astype(int) - 100).min() > 10
    red = np.zeros((32, 48, 3), np.uint8)
    red[..., 0] = 200
    kind, _, content = data_uri(red).partition(",")
    assert kind == "data:image/jpeg;base64"
    back = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(back.astype(int) - red).max() < 8
