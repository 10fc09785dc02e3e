"""Answers about photographs: those of the book for the same files, none where nothing can be told, and which files."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

import cv2
import numpy as np
import pytest
from PIL import Image

from riqa.assess.advice import advice
from riqa.assess.answers import (
    NO_FUNDUS,
    PHANTOM_MODEL,
    UNLIKE,
    Answer,
    Session,
    Unreadable,
    assess,
    find_images,
    open_session,
    read_crop,
)
from riqa.data.fov import read_and_crop
from riqa.data.fov.search import NOT_ALONE
from riqa.labels import DETAILS, class_names
from riqa.learn.model import load_model, with_heads
from riqa.learn.novelty import QUANTILE, VIEWS, Novelty, load_novelty
from riqa.learn.predict import predict
from tests.assess.strangers import STRANGERS
from tests.data.expect import refused
from tests.data.photographs import disc


@pytest.fixture(scope="module")
def session(lab):
    return Session(load_model(lab.stem)[0], load_novelty(lab.stem))


@pytest.fixture(scope="module")
def fearless(session):
    """A model that never abstains because a photograph is unlike those of training."""
    return replace(session, novelty=None)


@pytest.fixture(autouse=True)
def _float32(monkeypatch):
    """bfloat16 keeps three digits, and in other batches they may be others; more are compared here."""
    monkeypatch.setattr("riqa.learn.predict.resolve_precision", lambda *_: "float32")


def judge(session, paths, **knobs):
    return list(assess(session, (read_crop(path, 32) for path in paths), **knobs))


@pytest.mark.parametrize(("batch_size", "batches"), [(1, [1] * 40), (7, [7] * 5 + [5])])
def test_probabilities_are_those_of_the_book_for_the_same_files_however_many_at_a_time(
    lab, fearless, batch_size, batches
):
    """Another way to the same numbers: curation into a store, and the predictions of the chapters."""
    expected = predict(fearless.model, lab.store, ("test",)).set_index("image_id")
    sizes, n_labels = [], 0
    handle = fearless.model.backbone.conv1.register_forward_hook(lambda m, i, o: sizes.append(len(o)))
    answers = judge(fearless, lab.photographs(), batch_size=batch_size)
    handle.remove()
    assert (sizes, [answer.path for answer in answers]) == (batches, lab.photographs())
    for answer in answers:
        row = expected.loc[answer.path.stem]
        overall = {name: row[f"p_overall_{k}"] for k, name in enumerate(class_names(3))}
        details = {detail: row[f"p_{detail}"] for detail in DETAILS}
        assert list(answer.overall) == list(overall)
        assert answer.overall == pytest.approx(overall, abs=1e-3)
        assert answer.details == pytest.approx(details, abs=1e-3)
        first, second = sorted(overall.values(), reverse=True)[:2]
        near = [first - second, *np.diff(sorted(details.values())), *(abs(p - 0.5) for p in details.values())]
        if min(near) > 2e-3:  # else rounding may choose the words
            likely = max(overall, key=overall.get)
            assert (answer.label, answer.advice) == (likely, advice(details, likely))
            n_labels += 1
    assert n_labels > 20  # of 40


def test_the_batch_size_changes_no_abstention(lab, session, monkeypatch):
    """Where the threshold lies in the widest gap between photographs, and not by chance at one of them."""
    found, real = [], Novelty.scores
    monkeypatch.setattr(Novelty, "scores", lambda *given: found.append(real(*given)) or found[-1])
    paths = lab.photographs(11)
    for batch_size in (1, 4):
        judge(session, paths, batch_size=batch_size)
    alone, together = np.split(np.concatenate(found).max(axis=1), 2)
    assert together == pytest.approx(alone, rel=1e-2, abs=1e-2)
    ordered = np.sort(alone)
    widest = np.diff(ordered).argmax()
    between = float(ordered[widest : widest + 2].mean())
    monkeypatch.setattr(Novelty, "threshold", lambda *_: between)
    for batch_size in (1, 4):
        answers = judge(session, paths, batch_size=batch_size)
        assert [answer.abstains for answer in answers] == (alone > between).tolist()


def test_photographs_of_the_same_set_are_answered_and_the_quantile_is_alive(lab, session):
    crops = [read_crop(path, 32) for path in lab.photographs()]
    silent = {
        quantile: sum(answer.abstains for answer in assess(session, crops, quantile=quantile))
        for quantile in (0.5, 0.9, QUANTILE, 1.0)
    }
    assert silent[0.5] > 8 > silent[1.0]
    assert (silent[0.9] <= 10, silent[QUANTILE] <= 4) == (True, True)  # of 40; 4 are expected at 0.9


def test_what_is_no_fundus_gets_no_answer_and_no_number(session, tmp_path):
    """Forty validation photographs are few: the default quantile would stand on the strangest of them alone.

    A disc of a retina's colour is left out: to a model of so few it may look like a retina without any focus.
    """
    for kind, draw in STRANGERS.items():
        for seed in range(4):
            cv2.imwrite(str(tmp_path / f"{kind}-{seed}.png"), draw(np.random.default_rng(seed))[..., ::-1])
    answers = judge(replace(session, warning="beware"), sorted(tmp_path.iterdir()), quantile=0.9)
    assert {answer.warning for answer in answers} == {"beware"}
    reasons = {kind: {a.reason for a in answers if a.path.stem[:-2] == kind} for kind in STRANGERS}
    assert reasons["noise"] == reasons["grey"] == reasons["orange"] == {NO_FUNDUS}
    unlike = {f"{UNLIKE}: {view}" for view in VIEWS}
    for disc_of in ("noise in a disc", "text in a disc", "fur in a disc", "holiday in a disc", "grey disc"):
        assert reasons[disc_of] <= unlike
    assert None not in reasons["text"] | reasons["fur"] | reasons["holiday"]
    assert NOT_ALONE in set.union(*reasons.values())
    for answer in answers:
        if answer.abstains:
            told = answer.to_json()
            assert (told["overall"], told["details"], told["abstain"]) == (None, {}, True)
            assert (bool(told["advice"]), answer.label) == (True, None)


def test_files_that_cannot_be_read_keep_their_place(lab, session, tmp_path):
    (tmp_path / "a.jpg").write_text("no image")
    paths = [tmp_path / "a.jpg", *lab.photographs(2), tmp_path / "gone.jpg"]
    answers = judge(session, paths, batch_size=1)
    assert [type(answer) for answer in answers] == [Unreadable, Answer, Answer, Unreadable]
    assert [answer.path for answer in answers] == paths
    assert judge(session, paths[:1]) == [Unreadable(paths[0], "not an image file")]


@pytest.mark.parametrize(("n_overall", "n_details"), [(3, 0), (0, 3), (2, 3)])
def test_a_model_answers_as_far_as_its_heads_go(lab, fearless, n_overall, n_details):
    headed = replace(fearless, model=with_heads(fearless.model, n_overall, n_details))
    (answer,) = judge(headed, lab.photographs(1))
    assert tuple(answer.overall) == (class_names(n_overall) if n_overall else ())
    assert sum(answer.overall.values()) == pytest.approx(1 if n_overall else 0)
    assert list(answer.details) == list(DETAILS[:n_details])
    assert (answer.to_json()["overall"] is None, bool(answer.advice)) == (n_overall == 0, True)


def test_the_contract_by_hand(tmp_path):
    overall = {"reject": 0.25, "usable": 0.5, "good": 0.25}
    answer = Answer(tmp_path / "x.jpg", overall, {"clarity": 0.125}, ["out of focus: refocus and retake"])
    assert list(answer.to_json().items()) == [
        ("path", str(tmp_path / "x.jpg")),
        ("overall", {"label": "usable", "probabilities": overall}),
        ("details", {"clarity": {"good": 0.125}}),
        ("advice", ["out of focus: refocus and retake"]),
        ("abstain", False),
        ("reason", None),
        ("warning", None),
    ]
    ranks = {"reject": 0.66, "good": 0.02}
    details = replace(answer, ranks={"clarity": ranks}).to_json()["details"]
    assert details == {"clarity": {"good": 0.125, "worse_in_training": ranks}}


@pytest.mark.parametrize("view", [0, 1])
def test_an_abstention_names_the_view_that_finds_it_most_unlike(lab, session, monkeypatch, view):
    scores = np.full((1, 2), 5.0)
    scores[0, view] = 6.0
    monkeypatch.setattr(Novelty, "scores", lambda *_: scores)
    for limit, reason in ((5.5, f"{UNLIKE}: {VIEWS[view]}"), (6.0, None)):
        monkeypatch.setattr(Novelty, "threshold", lambda *_, limit=limit: limit)
        (answer,) = judge(session, lab.photographs(1))
        assert answer.reason == reason


@pytest.mark.parametrize(("knob", "value"), [("batch_size", 0), ("quantile", 2)])
def test_slips_are_named(lab, session, knob, value):
    with pytest.raises(ValueError, match=f"{knob} is {value}"):
        judge(session, lab.photographs(1), **{knob: value})


@pytest.mark.parametrize("ending", ["", ".safetensors", ".json", ".novelty.safetensors"])
def test_any_file_of_a_model_names_it(lab, ending):
    opened = open_session(Path(f"{lab.stem}{ending}"), lab.photographs(1))
    assert (opened.name, opened.novelty is not None, opened.notes) == (lab.stem.name, True, [])


@pytest.mark.parametrize(
    ("told", "warned"),
    [
        ({"drawn": True, "trained_on": "clinic"}, True),
        ({"drawn": False, "trained_on": "clinic"}, False),
        ({"trained_on": "phantom_eyes"}, True),  # of a version that did not say what is drawn
        ({"trained_on": "simulated_details"}, False),
        ({}, False),
    ],
)
def test_what_a_model_was_trained_on_is_read_from_its_description(lab, tmp_path, told, warned):
    for file in lab.stem.parent.glob(f"{lab.stem.name}.*"):
        shutil.copy(file, tmp_path)
    description = tmp_path / f"{lab.stem.name}.json"
    content = json.loads(description.read_text())
    assert (content.pop("drawn"), content.pop("trained_on")) == (True, "toy")
    description.write_text(json.dumps(content | told))
    assert open_session(description, lab.photographs(1)).warning == (PHANTOM_MODEL if warned else None)


@pytest.fixture
def folder(tmp_path):
    """Nine discs in two folders, a hidden image, a text, and an empty folder."""
    for k in range(9):
        place = tmp_path / ("b" if k % 2 else "a/deep")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(disc(60, 80, radius=25, level=90 + k, seed=k)[0]).save(place / f"{k}.PNG")
    (tmp_path / "b" / ".hidden.png").write_bytes(b"")
    (tmp_path / "b" / "notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_folders_are_searched_in_order_and_files_taken_once_as_given(folder, monkeypatch):
    given = [folder / "b" / "3.PNG", folder / "b", folder / "b" / "notes.txt", folder / "a", folder]
    paths, empty, passed = find_images(given)
    in_b, in_a = ([f"{k}.PNG" for k in some] for some in ((3, 1, 5, 7), (0, 2, 4, 6, 8)))
    assert ([path.name for path in paths], empty) == ([*in_b, "notes.txt", *in_a], [])
    assert str(passed) == (  # each counted once
        "1 hidden or of the system (.hidden.png), 1 with an ending that is not read (.txt 1, e.g. notes.txt)"
    )
    monkeypatch.chdir(folder)  # named from here and from the root, a file is one
    paths = find_images([Path("b/3.PNG"), folder / "b" / "3.PNG", folder / "b", Path(".")])[0]
    assert [path.is_absolute() for path in paths] == [False] + 3 * [True] + 5 * [False]
    written = folder / "b" / normalize("NFD", "Größe.png")  # however its accents are written
    (folder / "b" / "3.PNG").rename(written)
    assert find_images([folder / "b" / "Größe.png"])[:2] == ([written], [])


def test_folders_without_images_are_told_and_alone_an_error(folder, monkeypatch):
    def barred(place, real=os.scandir):
        if str(place).endswith("deep"):
            raise PermissionError(13, "Permission denied", place)
        return real(place)

    monkeypatch.setattr(os, "scandir", barred)
    (folder / "c").mkdir()
    (folder / "c" / "scan.heic").touch()
    paths, empty, _ = find_images([folder / name for name in ("empty", "b", "a", "c")])
    assert len(paths) == 4
    assert empty == [
        Unreadable(folder / "empty", "no image in this folder"),
        Unreadable(folder / "a" / "deep", "no permission to enter it"),
        Unreadable(folder / "c", "no image in this folder"),
    ]
    for name, why in (
        ("empty", ["/empty; name photographs (.jpeg ", ", or folders of them"]),
        ("a", ["/a; ", "a/deep: no permission to enter it"]),
        ("c", ["/c; ", "; passed over: 1 with an ending that is not read (.heic 1, e.g. scan.heic)"]),
    ):
        with refused("no image in ", *why):
            find_images([folder / name])


def test_what_is_read_is_what_curation_would_crop(folder):
    Image.new("RGB", (80, 60)).save(folder / "b" / "7.PNG")
    whole, black = (read_crop(folder / "b" / name, 32) for name in ("5.PNG", "7.PNG"))
    assert np.array_equal(whole.crop, read_and_crop(whole.path, 32)[0])
    assert (black.crop, black.reason in NO_FUNDUS) == (None, True)
    for name, reason in (("notes.txt", "not an image file"), ("gone.png", "file is missing")):
        assert read_crop(folder / "b" / name, 32) == Unreadable(folder / "b" / name, reason)
