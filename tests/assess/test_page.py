import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from riqa.assess.answers import Answer, assess
from riqa.assess.page import Card, card, write_page
from riqa.assess.photographs import Unreadable, read_ahead
from riqa.errors import InputError
from riqa.learn.model import load_model

FACTS = {"model_name": "m-s0", "summary": "2 photographs: 1 good, 1 without answer", "notes": []}
EVIL = "<script>alert('x')</script>.jpg"
GOOD = Answer(Path(EVIL), {"bad": 0.1, "good": 0.9}, {"clarity": 0.3}, ["out of focus: refocus and retake"])
NONE = Answer(Path("a.jpg"), {}, {}, ["look"], "no fundus")


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


def page(tmp_path, cards, unreadable=(), most_pictures=100, **facts):
    write_page(tmp_path / "page.html", cards, unreadable, most_pictures=most_pictures, **(FACTS | facts))
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_page_asks_nothing_of_the_world(lab, tmp_path):
    model, _ = load_model(lab.stem)
    cards = [
        card(model, answer, picture=True)[0]
        for answer in assess(model, None, read_ahead(lab.photographs(3), 32))
    ]
    tags = _Tags(page(tmp_path, cards)).tags
    pictures = [attributes for tag, attributes in tags if tag == "img"]
    assert len(pictures) == 6
    assert all(attributes["src"].startswith("data:image/jpeg;base64,") for attributes in pictures)
    assert all(attributes["alt"] for attributes in pictures)
    assert not [attributes for tag, attributes in tags if tag in ("script", "link", "iframe")]
    assert not [
        value for tag, attributes in tags for value in attributes.values() if "http:" in (value or "")
    ]
    (policy,) = [a["content"] for _, a in tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")


def test_names_of_files_are_text(tmp_path):
    text = page(tmp_path, [Card(GOOD)], [Unreadable(Path("<b>"), "not an <image>")])
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "&lt;b&gt;: not an &lt;image&gt;" in text


def test_names_that_are_no_utf_8_are_shown(tmp_path):
    odd = Path(os.fsdecode(b"M\xfcller.jpg"))
    shown = Card(
        Answer(odd, {}, {"clarity": 0.3}, ["refocus"]), "all", "data:image/jpeg;base64,AA", None, "x"
    )
    text = page(tmp_path, [shown], [Unreadable(odd, "torn")], model_name=os.fsdecode(b"m\xff"))
    assert text.count("M\ufffdller.jpg") == 3
    assert "m\ufffd" in text


def test_everything_that_is_said_is_there(tmp_path):
    text = page(tmp_path, [Card(GOOD), Card(NONE)], notes=["beware of it"])
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.partition("<body>")[2]))
    assert "overall good" in words
    assert "good 0.90 bad 0.10" in words
    assert "clarity 0.30 bad" in words
    assert "no answer : no fundus" in words
    for sentence in (*GOOD.advice, *NONE.advice, "Beware of it.", "m-s0", FACTS["summary"]):
        assert sentence in words
    assert "Pictures are shown" not in words


def test_a_warning_is_on_every_card(tmp_path):
    warned = [Card(replace(answer, warning="phantom model: beware")) for answer in (GOOD, NONE)]
    assert page(tmp_path, warned).count('<p class="note">Phantom model: beware.</p>') == 2


def test_the_limit_on_pictures_is_told(tmp_path):
    cards = [Card(GOOD, "all", "data:image/jpeg;base64,AA"), Card(NONE), Card(NONE)]
    assert "Pictures are shown for the first 1 of 3 photographs" in page(tmp_path, cards, most_pictures=1)


def test_a_card_without_picture_or_answer_has_no_heat_map(lab):
    model, _ = load_model(lab.stem)
    path = lab.photographs(1)[0]
    answer = next(assess(model, None, read_ahead([path], 32)))
    bare, note = card(model, answer, picture=False)
    assert (bare.photograph, bare.heat, note) == (None, None, None)
    assert bare.answer.crop is None
    abstained, _ = card(model, Answer(path, {}, {}, ["look"], "unlike", answer.crop), picture=True)
    assert abstained.photograph
    assert (abstained.heat, abstained.claim) == (None, None)


def test_a_backbone_without_maps_is_noted(lab, monkeypatch):
    def refuse(*_, **__):
        raise InputError("backbone vit has no map")

    monkeypatch.setattr("riqa.assess.pictures.grad_cam", refuse)
    model, _ = load_model(lab.stem)
    answer = next(assess(model, None, read_ahead(lab.photographs(1), 32)))
    made, note = card(model, answer, picture=True)
    assert made.photograph
    assert made.heat is None
    assert note == "no heat maps: backbone vit has no map"


def test_a_page_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"page\.html cannot be written"):
        write_page(tmp_path / "file" / "page.html", [Card(GOOD)], [], most_pictures=1, **FACTS)


def test_each_detail_stands_between_the_photographs_of_training(tmp_path):
    ranks = {"clarity": {"reject": 0.66, "good": 0.02}, "contrast": {"reject": 0.4, "good": 0.31}}
    answer = Answer(
        Path("a.jpg"), {"reject": 0.9, "usable": 0.1, "good": 0.0}, {"clarity": 0.6, "contrast": 0.7},
        ["most likely out of focus: refocus and retake"], ranks=ranks,
    )  # fmt: skip
    text = page(tmp_path, [Card(answer)])
    _Tags(text)
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.partition("<body>")[2]))
    assert (
        "share of the training photographs that are worse of those graded reject of those graded good"
        in words
    )
    assert "clarity 66 % 2 %" in words
    assert "contrast 40 % 31 %" in words
    assert answer.to_json()["details"]["clarity"] == {"good": 0.6, "worse_in_training": ranks["clarity"]}
