"""From probabilities to plain sentences: what to change, and whether to take the photograph again."""

from collections.abc import Mapping

from riqa.labels import DETAILS

REMEDIES: dict[str, str] = {
    "illumination": "badly lit: adjust the flash, centre on the pupil or widen it, and retake",
    "clarity": "out of focus: refocus and retake",
    "contrast": "low contrast: clean the lens, let the patient blink, and retake",
}
"""The sentence for each detail that is bad; the order of `riqa.labels.DETAILS`."""

NO_RETAKE = "no retake needed"
BAD_BELOW = 0.5
"""Probability of good below which a detail is called bad."""


def advice(p_good: Mapping[str, float], overall: str | None = None, likely: str | None = None) -> list[str]:
    """Return what a technician should do about a photograph (paper, Figures 1 and 5).

    `p_good` is the probability in [0, 1] that a detail is good, by its name; `overall` the name of the class
    (`riqa.labels.class_names`); one of both may be lacking, as a model's heads are. `likely` is the detail
    that is worst by its rank (`riqa.learn.standing.most_likely`). A slip in any name raises a ValueError.

    There is one sentence per bad detail, the worst first. Where overall quality and details disagree, a last
    one says so; of a rejected photograph without a bad detail the first names the likeliest reason as no more
    than that. No full stop; a colon separates the problem from what to do.
    """
    known = {*p_good} <= {*DETAILS} and overall in (None, "reject", "bad", "usable", "good")
    if not known or not (p_good or overall):
        raise ValueError(f"advice needs details of {DETAILS} or a class, got {dict(p_good)} and {overall!r}")
    bad = sorted((detail for detail in p_good if p_good[detail] < BAD_BELOW), key=p_good.__getitem__)
    if bad:
        despite = [f"{overall} all the same: retake only if there is time"]
        return [REMEDIES[detail] for detail in bad] + despite * (overall in ("usable", "good"))
    if overall in ("reject", "bad"):  # the lowest class, of three and of two
        why = f"{overall}, " + ("though no detail is bad" if p_good else "and this model judges no details")
        if likely in p_good:
            return [f"most likely {REMEDIES[likely]}", f"{why}: the likeliest reason is no finding"]
        return [f"{why}: look for what the heat map marks, and retake"]
    if overall == "usable":
        return [f"{NO_RETAKE}: usable though not good, so another try may help"]
    return [NO_RETAKE]
