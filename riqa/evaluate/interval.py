"""A number with its uncertainty."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A value with its percentile bootstrap interval."""

    value: float  # computed on the images as they are, mean over seeds
    low: float  # lower percentile of the replicates
    high: float  # upper percentile
    p_value: float | None = None  # only for differences: two-sided, of the hypothesis that there is none
