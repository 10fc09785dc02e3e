import cv2
import numpy as np
import pytest

from riqa.assess.answers import NO_FUNDUS, UNLIKE, Answer, assess, speaks_against
from riqa.assess.photographs import Unreadable, read_ahead
from riqa.data.fov.search import NOT_ALONE
from riqa.labels import DETAILS
from riqa.learn.model import load_model, with_heads
from riqa.learn.novelty import VIEWS, Novelty, load_novelty
from riqa.learn.predict import predict
from tests.assess.strangers import STRANGERS


@pytest.fixture(scope="module")
def model(lab):
    return load_model(lab.stem)[0]


@pytest.fixture(scope="module")
def novelty(lab):
    return load_novelty(lab.stem)


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    root = tmp_path_factory.mktemp("strangers")
    for kind, draw in STRANGERS.items():
        for seed in range(4):
            cv2.imwrite(str(root / f"{kind}-{seed}.png"), draw(np.random.default_rng(seed))[..., ::-1])
    return sorted(root.iterdir())


@pytest.fixture(autouse=True)
def _float32(monkeypatch):
    """bfloat16 keeps three digits, and in other batches they may be others; more are compared here."""
    monkeypatch.setattr("riqa.learn.inference.resolve_precision", lambda *_: "float32")


def beyond_doubt(overall, details):
    """Tell whether no probability lies so near to where words change that rounding may choose them."""
    first, second = sorted(overall, reverse=True)[:2]
    return min(first - second, *np.diff(sorted(details)), *(abs(p - 0.5) for p in details)) > 2e-3


def judge(model, novelty, paths, **knobs):
    return list(assess(model, novelty, read_ahead(paths, 32), **knobs))


def test_probabilities_are_those_of_the_book_for_the_same_files(lab, model):
    """Another way to the same numbers: curation into a store, and the predictions of the chapters."""
    paths = lab.photographs()
    expected = predict(model, lab.store, ("test",)).set_index("image_id")
    n_labels = 0
    for answer in judge(model, None, paths, batch_size=7):
        row = expected.loc[answer.path.stem]
        overall, details = [row[f"p_overall_{k}"] for k in range(3)], [row[f"p_{d}"] for d in DETAILS]
        assert list(answer.overall) == ["reject", "usable", "good"]
        assert list(answer.overall.values()) == pytest.approx(overall, abs=1e-3)
        assert list(answer.details.values()) == pytest.approx(details, abs=1e-3)
        if beyond_doubt(overall, details):
            assert answer.label == ("reject", "usable", "good")[int(np.argmax(overall))]
            n_labels += 1
    assert n_labels > 20  # of 40


def test_the_batch_size_changes_no_answer(lab, model):
    paths = lab.photographs(11)
    batches = []
    handle = model.backbone.conv1.register_forward_hook(lambda m, i, o: batches.append(len(o)))
    one = judge(model, None, paths, batch_size=1)
    assert batches == [1] * 11
    batches.clear()
    many = judge(model, None, paths, batch_size=4)
    handle.remove()
    assert batches == [4, 4, 3]
    sure = [beyond_doubt(answer.overall.values(), answer.details.values()) for answer in one]
    assert sum(sure) > 5
    for a, b, same in zip(one, many, sure, strict=True):
        assert a.path == b.path
        assert list(a.overall.values()) == pytest.approx(list(b.overall.values()), abs=1e-3)
        assert list(a.details.values()) == pytest.approx(list(b.details.values()), abs=1e-3)
        assert (a.label, a.advice) == (b.label, b.advice) or not same


def test_the_batch_size_changes_no_abstention(lab, model, novelty, monkeypatch):
    """Where the threshold lies in the widest gap between photographs, and not by chance at one of them."""
    scores, taken = [], Novelty.scores

    def noted(*given):
        found = taken(*given)
        scores.extend(found.max(axis=1))
        return found

    monkeypatch.setattr(Novelty, "scores", noted)
    paths = lab.photographs(11)
    judge(model, novelty, paths, batch_size=1)
    alone = np.array(scores)
    scores.clear()
    judge(model, novelty, paths, batch_size=4)
    assert scores == pytest.approx(alone.tolist(), rel=1e-2, abs=1e-2)
    ordered = np.sort(alone)
    widest = np.diff(ordered).argmax()
    between = float(ordered[widest : widest + 2].mean())
    monkeypatch.setattr(Novelty, "threshold", lambda *_: between)
    for batch_size in (1, 4):
        answers = judge(model, novelty, paths, batch_size=batch_size)
        assert [answer.abstains for answer in answers] == (alone > ordered[widest]).tolist()


def test_photographs_of_the_same_set_are_answered(lab, model, novelty):
    answers = judge(model, novelty, lab.photographs())
    assert len(answers) == 40
    assert np.mean([answer.abstains for answer in answers]) <= 0.1
    answers = judge(model, novelty, lab.photographs(), quantile=0.9)
    assert np.mean([answer.abstains for answer in answers]) <= 0.25  # 0.1 is expected, of 40


def test_what_is_no_fundus_gets_no_answer(model, novelty, strangers):
    """Forty validation photographs are few: the default quantile would stand on the strangest of them alone.

    A disc of a retina's colour is left out: to a model of so few it may look like a retina without any focus.
    """
    answers = {answer.path.stem: answer for answer in judge(model, novelty, strangers, quantile=0.9)}
    assert len(answers) == 4 * len(STRANGERS)
    reasons = {kind: {answers[f"{kind}-{seed}"].reason for seed in range(4)} for kind in STRANGERS}
    assert reasons["noise"] == reasons["grey"] == reasons["orange"] == {NO_FUNDUS}
    discs = ("noise", "text", "fur", "holiday")
    unlike = {f"{UNLIKE}: {view}" for view in VIEWS}
    assert all(reasons[f"{kind} in a disc"] <= unlike for kind in discs)
    assert reasons["grey disc"] <= unlike
    assert None not in reasons["text"] | reasons["fur"] | reasons["holiday"]


def test_an_abstention_quotes_no_number(model, novelty, strangers):
    answers = judge(model, novelty, strangers, quantile=0.9)
    abstained = [answer for answer in answers if answer.abstains]
    assert {answer.reason.partition(": ")[0] for answer in abstained} >= {"no fundus", UNLIKE}
    assert NOT_ALONE in {answer.reason for answer in abstained}
    for answer in abstained:
        told = answer.to_json()
        assert (told["overall"], told["details"], told["abstain"]) == (None, {}, True)
        assert told["advice"]
        assert answer.label is None


def test_the_quantile_is_alive(lab, model, novelty):
    paths = lab.photographs()
    strict, lenient = (judge(model, novelty, paths, quantile=quantile) for quantile in (0.5, 1.0))
    n_strict, n_lenient = (sum(answer.abstains for answer in some) for some in (strict, lenient))
    assert n_strict > 8 > n_lenient


def test_files_that_cannot_be_read_keep_their_place(lab, model, novelty, tmp_path):
    (tmp_path / "a.jpg").write_text("no image")
    paths = [tmp_path / "a.jpg", *lab.photographs(2), tmp_path / "gone.jpg"]
    answers = judge(model, novelty, paths, batch_size=1)
    assert [type(answer) for answer in answers] == [Unreadable, Answer, Answer, Unreadable]
    assert [answer.path for answer in answers] == paths
    assert judge(model, novelty, paths[:1]) == [Unreadable(paths[0], "not an image file")]


@pytest.mark.parametrize("heads", [(3, 0), (0, 3), (2, 3)])
def test_a_model_answers_as_far_as_its_heads_go(lab, model, heads):
    n_overall, n_details = heads
    (answer,) = judge(with_heads(model, *heads), None, lab.photographs(1))
    told = answer.to_json()
    assert list(told) == ["path", "overall", "details", "advice", "abstain", "reason", "warning"]
    assert len(answer.overall) == n_overall
    assert list(told["details"]) == list(DETAILS[:n_details])
    if n_overall:
        assert told["overall"]["label"] in told["overall"]["probabilities"]
        assert sum(told["overall"]["probabilities"].values()) == pytest.approx(1)
        assert next(iter(told["overall"]["probabilities"])) == ("bad" if n_overall == 2 else "reject")
    else:
        assert told["overall"] is None
    assert told["advice"]


def test_the_contract_by_hand(tmp_path):
    overall = {"reject": 0.25, "usable": 0.5, "good": 0.25}
    answer = Answer(tmp_path / "x.jpg", overall, {"clarity": 0.125}, ["out of focus: refocus and retake"])
    assert answer.to_json() == {
        "path": str(tmp_path / "x.jpg"),
        "overall": {"label": "usable", "probabilities": overall},
        "details": {"clarity": {"good": 0.125}},
        "advice": ["out of focus: refocus and retake"],
        "abstain": False,
        "reason": None,
        "warning": None,
    }


def test_a_warning_goes_with_every_answer(lab, model, novelty, strangers):
    paths = [*lab.photographs(2), strangers[0]]
    answers = judge(model, novelty, paths, quantile=1.0, warning="beware")
    assert [answer.warning for answer in answers] == ["beware"] * 3
    assert [answer.warning for answer in judge(model, novelty, paths)] == [None] * 3


@pytest.mark.parametrize("view", [0, 1])
def test_an_abstention_names_the_view_that_finds_it_most_unlike(lab, model, novelty, monkeypatch, view):
    scores = np.full((1, 2), 5.0)
    scores[0, view] = 6.0
    monkeypatch.setattr(Novelty, "scores", lambda *_: scores)
    for limit, reason in ((5.5, f"{UNLIKE}: {VIEWS[view]}"), (6.0, None)):
        monkeypatch.setattr(Novelty, "threshold", lambda *_, limit=limit: limit)
        (answer,) = judge(model, novelty, lab.photographs(1))
        assert answer.reason == reason


def test_what_speaks_against_is_the_most_probable_fault(tmp_path):
    details = {"illumination": 0.9, "clarity": 0.3, "contrast": 0.8}
    answer = Answer(tmp_path, {"reject": 0.6, "usable": 0.3, "good": 0.1}, details, [])
    assert speaks_against(answer)[:3] == ("details", 1, "clarity is bad")
    assert speaks_against(answer)[3] == pytest.approx(0.7)
    answer = Answer(tmp_path, {"bad": 0.75, "good": 0.25}, details, [])
    assert speaks_against(answer) == ("overall", 0, "overall quality is bad", 0.75)
    with pytest.raises(ValueError, match="abstains"):
        speaks_against(Answer(tmp_path, {}, {}, ["look"], NO_FUNDUS))


def test_slips_are_named(lab, model, novelty):
    with pytest.raises(ValueError, match="batch_size is 0"):
        judge(model, novelty, lab.photographs(1), batch_size=0)
    with pytest.raises(ValueError, match="quantile is 2"):
        judge(model, novelty, lab.photographs(1), quantile=2)
