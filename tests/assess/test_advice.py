import pytest

from riqa.assess.advice import NO_RETAKE, REMEDIES, advice
from riqa.labels import DETAILS

GOOD = dict.fromkeys(DETAILS, 0.9)
USABLE = f"{NO_RETAKE}: usable though not good, so another try may help"
LOOK = "look for what the heat map marks, and retake"


@pytest.mark.parametrize(
    ("p_good", "overall", "likely", "told"),
    [
        *(({**GOOD, detail: 0.1}, "reject", None, [REMEDIES[detail]]) for detail in DETAILS),
        ({"illumination": 0.4, "clarity": 0.9, "contrast": 0.2}, "bad", None,
         [REMEDIES["contrast"], REMEDIES["illumination"]]),  # the worst comes first
        ({"clarity": 0.4999}, None, None, ["out of focus: refocus and retake"]),
        ({"clarity": 0.5}, None, None, [NO_RETAKE]),  # bad below the threshold, and not at it
        (GOOD, None, None, [NO_RETAKE]),
        (GOOD, "good", None, [NO_RETAKE]),
        (GOOD, "usable", None, [USABLE]),
        (GOOD, "usable", "clarity", [USABLE]),
        # Without a bad detail no reason is invented; the likeliest one is told as no more than that.
        (GOOD, "reject", None, [f"reject, though no detail is bad: {LOOK}"]),
        ({}, "bad", None, [f"bad, and this model judges no details: {LOOK}"]),
        (GOOD, "bad", "clarity",
         ["most likely out of focus: refocus and retake",
          "bad, though no detail is bad: the likeliest reason is no finding"]),
        ({**GOOD, "contrast": 0.1}, "reject", "clarity", [REMEDIES["contrast"]]),
        # A bad detail of an acceptable photograph is named with that reservation.
        *(({**GOOD, "contrast": 0.3}, fine, None,
           [REMEDIES["contrast"], f"{fine} all the same: retake only if there is time"])
          for fine in ("usable", "good")),
    ],
)  # fmt: skip
def test_every_case_has_its_sentences(p_good, overall, likely, told):
    assert advice(p_good, overall, likely) == told
    assert tuple(REMEDIES) == DETAILS


@pytest.mark.parametrize(("p_good", "overall"), [({"sharpness": 0.1}, None), (GOOD, "excellent"), ({}, None)])
def test_a_slip_of_the_programmer_is_named(p_good, overall):
    with pytest.raises(ValueError, match=f"needs details .* got {p_good} and {overall!r}"):
        advice(p_good, overall)
