import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from riqa.assess.answers import (
    NO_FUNDUS,
    UNLIKE,
    UNSURE,
    Answer,
    Session,
    Unreadable,
    assess,
    find_images,
    open_session,
    read_crop,
)
from riqa.data.fov.search import NOT_ALONE
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.learn.confidence import N_QUANTILES, Confidence
from riqa.learn.model import load_model, with_heads
from riqa.learn.novelty import QUANTILE, VIEWS, Novelty, load_novelty
from riqa.learn.predict import predict
from tests.assess.strangers import STRANGERS
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


def beyond_doubt(overall, details):
    """Tell whether no probability lies so near to where words change that rounding may choose them."""
    first, second = sorted(overall, reverse=True)[:2]
    return min(first - second, *np.diff(sorted(details)), *(abs(p - 0.5) for p in details)) > 2e-3


def judge(session, paths, **knobs):
    return list(assess(session, (read_crop(path, 32) for path in paths), **knobs))


def same(answer, overall, details):
    assert list(answer.overall.values()) == pytest.approx(list(overall), abs=1e-3)
    assert list(answer.details.values()) == pytest.approx(list(details), abs=1e-3)
    return beyond_doubt(overall, details)


def test_probabilities_are_those_of_the_book_for_the_same_files(lab, fearless):
    """Another way to the same numbers: curation into a store, and the predictions of the chapters."""
    expected = predict(fearless.model, lab.store, ("test",)).set_index("image_id")
    n_labels = 0
    for answer in judge(fearless, lab.photographs(), batch_size=7):
        row = expected.loc[answer.path.stem]
        overall = [row[f"p_overall_{k}"] for k in range(3)]
        assert list(answer.overall) == ["reject", "usable", "good"]
        if same(answer, overall, [row[f"p_{detail}"] for detail in DETAILS]):
            assert answer.label == ("reject", "usable", "good")[int(np.argmax(overall))]
            n_labels += 1
    assert n_labels > 20  # of 40


def test_the_batch_size_changes_no_answer(lab, fearless):
    paths, batches = lab.photographs(11), []
    handle = fearless.model.backbone.conv1.register_forward_hook(lambda m, i, o: batches.append(len(o)))
    one, many = (judge(fearless, paths, batch_size=size) for size in (1, 4))
    handle.remove()
    assert batches == [1] * 11 + [4, 4, 3]
    assert [answer.path for answer in one] == [answer.path for answer in many] == paths
    sure = [same(a, b.overall.values(), b.details.values()) for a, b in zip(one, many, strict=True)]
    assert sum(sure) > 5
    for a, b, certain in zip(one, many, sure, strict=True):
        assert (a.label, a.advice) == (b.label, b.advice) or not certain


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
        assert [bool(answer.reason) for answer in answers] == (alone > between).tolist()


def test_photographs_of_the_same_set_are_answered_and_the_quantile_is_alive(lab, session):
    def n_abstentions(quantile):
        return sum(bool(answer.reason) for answer in judge(session, lab.photographs(), quantile=quantile))

    assert n_abstentions(0.5) > 8 > n_abstentions(1.0)
    assert n_abstentions(0.9) <= 10  # 4 are expected, of 40
    assert n_abstentions(QUANTILE) <= 4


def test_what_is_no_fundus_gets_no_answer_and_no_number(session, tmp_path):
    """Forty validation photographs are few: the default quantile would stand on the strangest of them alone.

    A disc of a retina's colour is left out: to a model of so few it may look like a retina without any focus.
    """
    for kind, draw in STRANGERS.items():
        for seed in range(4):
            cv2.imwrite(str(tmp_path / f"{kind}-{seed}.png"), draw(np.random.default_rng(seed))[..., ::-1])
    found = judge(session, sorted(tmp_path.iterdir()), quantile=0.9)
    answers = {answer.path.stem: answer for answer in found}
    assert len(answers) == 4 * len(STRANGERS)
    reasons = {kind: {answers[f"{kind}-{seed}"].reason for seed in range(4)} for kind in STRANGERS}
    assert reasons["noise"] == reasons["grey"] == reasons["orange"] == {NO_FUNDUS}
    unlike = {f"{UNLIKE}: {view}" for view in VIEWS}
    for disc_of in ("noise in a disc", "text in a disc", "fur in a disc", "holiday in a disc", "grey disc"):
        assert reasons[disc_of] <= unlike
    assert None not in reasons["text"] | reasons["fur"] | reasons["holiday"]
    assert NOT_ALONE in set.union(*reasons.values())
    for answer in answers.values():
        if answer.reason:
            told = answer.to_json()
            assert (told["overall"], told["details"], told["abstain"]) == (None, {}, True)
            assert told["advice"]
            assert answer.label is None


def test_files_that_cannot_be_read_keep_their_place(lab, session, tmp_path):
    (tmp_path / "a.jpg").write_text("no image")
    paths = [tmp_path / "a.jpg", *lab.photographs(2), tmp_path / "gone.jpg"]
    answers = judge(session, paths, batch_size=1)
    assert [type(answer) for answer in answers] == [Unreadable, Answer, Answer, Unreadable]
    assert [answer.path for answer in answers] == paths
    assert judge(session, paths[:1]) == [Unreadable(paths[0], "not an image file")]


@pytest.mark.parametrize("heads", [(3, 0), (0, 3), (2, 3)])
def test_a_model_answers_as_far_as_its_heads_go(lab, fearless, heads):
    n_overall, n_details = heads
    (answer,) = judge(replace(fearless, model=with_heads(fearless.model, *heads)), lab.photographs(1))
    names = {0: [], 2: ["bad", "good"], 3: ["reject", "usable", "good"]}
    assert list(answer.overall) == names[n_overall]
    assert sum(answer.overall.values()) == pytest.approx(1 if n_overall else 0)
    assert list(answer.details) == list(DETAILS[:n_details])
    assert (answer.to_json()["overall"] is None) == (n_overall == 0)
    assert answer.advice


def test_the_contract_by_hand(tmp_path):
    overall = {"reject": 0.25, "usable": 0.5, "good": 0.25}
    answer = Answer(tmp_path / "x.jpg", overall, {"clarity": 0.125}, ["out of focus: refocus and retake"])
    assert list(answer.to_json().items()) == [
        ("path", str(tmp_path / "x.jpg")),
        ("overall", {"label": "usable", "probabilities": overall}),
        ("details", {"clarity": {"good": 0.125}}),
        ("advice", ["out of focus: refocus and retake"]),
        *(("abstain", False), ("reason", None), ("warning", None), ("temperature", None)),
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


def test_a_temperature_changes_probabilities_and_no_class(lab, fearless):
    levels = np.linspace(0.4, 0.8, N_QUANTILES).tolist()
    sober = replace(fearless, confidence=Confidence(temperature=2.0, quantiles=levels))
    raw, cool = (judge(session, lab.photographs(8)) for session in (fearless, sober))
    for one, other in zip(raw, cool, strict=True):
        probs = np.array(list(one.overall.values()))
        expected = np.sqrt(probs) / np.sqrt(probs).sum()  # p^(1/T), T = 2
        assert list(other.overall.values()) == pytest.approx(expected.tolist(), abs=1e-6)
        assert (other.label, other.details, other.advice) == (one.label, one.details, one.advice)
    assert {answer.to_json()["temperature"] for answer in raw} == {None}
    assert {answer.to_json()["temperature"] for answer in cool} == {2.0}


def test_below_the_limit_of_the_coverage_there_is_no_answer(lab, fearless):
    """The limit stands in the widest gap between photographs, so that no rounding decides."""
    answers = judge(fearless, lab.photographs())
    surest = np.array([max(answer.overall.values()) for answer in answers])
    ordered = np.sort(surest)[5:-5]
    widest = np.diff(ordered).argmax()
    limit = float(ordered[widest : widest + 2].mean())
    kept = judge(replace(fearless, least=limit), lab.photographs())
    assert [bool(answer.reason) for answer in kept] == (surest < limit).tolist()
    unsure = next(answer for answer in kept if answer.reason)
    assert unsure.reason == f"{UNSURE}: no class reaches {limit:.2f}"
    assert (unsure.overall, unsure.details, unsure.advice) == ({}, {}, ["let a person judge it"])


def test_the_limit_of_a_coverage_is_read_with_the_model(lab):
    everything, most = (open_session(lab.stem, lab.photographs(1), coverage=c) for c in (1.0, 0.8))
    quantiles = everything.confidence.quantiles
    assert (everything.least, everything.notes) == (0.0, [])
    assert most.least == pytest.approx(quantiles[20])  # a fifth of the validation photographs lies below
    assert quantiles[0] <= most.least <= quantiles[-1] <= 1


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


def test_folders_are_searched_in_order_and_files_taken_once_as_given(folder):
    given = [folder / "b" / "3.PNG", folder / "b", folder / "b" / "notes.txt", folder / "a", folder]
    paths, empty, passed = find_images(given)
    in_b, in_a = ([f"{k}.PNG" for k in some] for some in ((3, 1, 5, 7), (0, 2, 4, 6, 8)))
    assert [path.name for path in paths] == [*in_b, "notes.txt", *in_a]
    assert empty == []
    assert str(passed) == (  # each counted once
        "1 hidden or of the system (.hidden.png), 1 with an ending that is not read (.txt 1, e.g. notes.txt)"
    )


def test_a_file_named_from_here_and_from_the_root_is_one(folder, monkeypatch):
    monkeypatch.chdir(folder)
    paths = find_images([Path("b/3.PNG"), folder / "b" / "3.PNG", folder / "b", Path(".")])[0]
    assert len(paths) == 9
    assert [path.is_absolute() for path in paths] == [False] + 3 * [True] + 5 * [False]


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
        ("empty", r"empty; name photographs \(\.jpeg .*, or folders of them$"),
        ("a", r"a; .*a/deep: no permission to enter it$"),
        ("c", r"c; .*; passed over: 1 with .* \(.heic 1, e.g. scan.heic\)$"),
    ):
        with pytest.raises(InputError, match=f"no image in .*{why}"):
            find_images([folder / name])
