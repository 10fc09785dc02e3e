import pytest

from riqa.assess.advice import NO_RETAKE, REMEDIES, advice
from riqa.labels import DETAILS

GOOD = dict.fromkeys(DETAILS, 0.9)


def test_every_detail_has_its_sentence():
    assert tuple(REMEDIES) == DETAILS
    for detail in DETAILS:
        assert advice({**GOOD, detail: 0.1}, "reject") == [REMEDIES[detail]]
    assert advice({**GOOD, "clarity": 0.1}, "reject") == ["out of focus: refocus and retake"]


def test_the_worst_detail_comes_first():
    told = advice({"illumination": 0.4, "clarity": 0.9, "contrast": 0.2}, "bad")
    assert told == [REMEDIES["contrast"], REMEDIES["illumination"]]


def test_a_detail_is_bad_below_the_threshold_and_not_at_it():
    assert advice({"clarity": 0.5}) == [NO_RETAKE]
    assert advice({"clarity": 0.5}, threshold=0.6) == [REMEDIES["clarity"]]
    assert advice({"clarity": 0.4999}) == [REMEDIES["clarity"]]


@pytest.mark.parametrize("overall", ["good", None])
def test_all_good_needs_no_retake(overall):
    assert advice(GOOD, overall) == [NO_RETAKE]


@pytest.mark.parametrize("overall", ["reject", "bad"])
def test_a_rejected_photograph_without_a_bad_detail_gets_no_invented_reason(overall):
    (told,) = advice(GOOD, overall)
    assert told.startswith(f"{overall}, though no detail is bad: ")
    assert told.endswith("retake")
    (told,) = advice({}, overall)
    assert "this model judges no details" in told


@pytest.mark.parametrize("overall", ["reject", "bad"])
def test_a_rejected_photograph_is_told_the_likeliest_reason_as_no_more_than_that(overall):
    told = advice(GOOD, overall, likely="clarity")
    assert told == [
        "most likely out of focus: refocus and retake",
        f"{overall}, though no detail is bad: the likeliest reason is no finding",
    ]
    assert advice({**GOOD, "contrast": 0.1}, overall, likely="clarity") == [REMEDIES["contrast"]]
    assert advice(GOOD, "usable", likely="clarity") == advice(GOOD, "usable")


@pytest.mark.parametrize("overall", ["usable", "good"])
def test_a_bad_detail_of_an_acceptable_photograph_is_named_with_that_reservation(overall):
    told = advice({**GOOD, "contrast": 0.3}, overall)
    assert told[0] == REMEDIES["contrast"]
    assert told[1:] == [f"{overall} all the same: retake only if there is time"]


def test_usable_without_a_bad_detail_says_that_it_is_not_good():
    (told,) = advice(GOOD, "usable")
    assert told.startswith(NO_RETAKE)
    assert "not good" in told


def test_a_slip_of_the_programmer_is_named():
    with pytest.raises(ValueError, match="sharpness"):
        advice({"sharpness": 0.1})
    with pytest.raises(ValueError, match="excellent"):
        advice(GOOD, "excellent")
    with pytest.raises(ValueError, match="needs details"):
        advice({})
