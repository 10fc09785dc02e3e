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
_FAILING = ("reject", "bad")  # the lowest class, of three and of two


def advice(
    p_good: Mapping[str, float],
    overall: str | None = None,
    *,
    threshold: float = BAD_BELOW,
    likely: str | None = None,
) -> list[str]:
    """Return what a technician should do about a photograph (paper, Figures 1 and 5).

    One sentence per bad detail, the worst first. Where overall quality and details disagree, a last sentence
    says so; of a rejected photograph without a bad detail the first names the
    likeliest reason, where it is known, as no more than that.

    Args:
        p_good: Probability in [0, 1] that a detail is good, by its name in `riqa.labels.DETAILS`; empty for a
            model that judges no details.
        overall: Name of the overall class (`riqa.labels.class_names`); None for a model without one.
        threshold: A detail is bad below this probability of good.
        likely: The detail that is worst by its rank (`riqa.learn.standing.most_likely`); None if unknown.

    Returns:
        At least one sentence, without a full stop; a colon separates the problem from what to do.

    Raises:
        ValueError: For an unknown detail or class, or neither details nor overall class.
    """
    if unknown := set(p_good) - set(DETAILS):
        raise ValueError(f"details are {sorted(unknown)}, must be among {DETAILS}")
    if overall not in (None, *_FAILING, "usable", "good"):
        raise ValueError(f"overall is {overall!r}, must be reject, usable, good, bad or None")
    if not p_good and overall is None:
        raise ValueError("advice needs details, an overall class, or both")
    bad = sorted((detail for detail in p_good if p_good[detail] < threshold), key=p_good.__getitem__)
    sentences = [REMEDIES[detail] for detail in bad]
    if bad:
        return sentences + (
            [f"{overall} all the same: retake only if there is time"] if overall in ("usable", "good") else []
        )
    if overall in _FAILING:
        why = "though no detail is bad" if p_good else "and this model judges no details"
        if likely in p_good:
            return [
                f"most likely {REMEDIES[likely]}",
                f"{overall}, {why}: the likeliest reason is no finding",
            ]
        return [f"{overall}, {why}: look for what the heat map marks, and retake"]
    if overall == "usable":
        return [f"{NO_RETAKE}: usable though not good, so another try may help"]
    return [NO_RETAKE]
