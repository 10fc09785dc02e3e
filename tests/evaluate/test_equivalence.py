import numpy as np
import pytest
from statsmodels.stats.weightstats import DescrStatsW

from riqa.evaluate.equivalence import equivalence, margin_verdict
from riqa.evaluate.stats import Interval, paired_bootstrap


def pair(n=2000, better=0.0, seed=0):
    """Truth and two models that err independently, B less often right by `better`."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=n)
    return truth, *(np.where(rng.random(n) < share, truth, 1 - truth) for share in (0.9, 0.9 - better))


@pytest.mark.parametrize(
    ("low", "high", "equivalent", "non_inferior", "superior", "inferior"),
    [
        (-0.01, 0.015, True, True, False, False),
        (-0.03, 0.03, False, False, False, False),  # p > 0.05, and yet nothing is shown
        (0.005, 0.015, True, True, True, False),  # better, and too little to matter
        (0.005, 0.03, False, True, True, False),
        (-0.015, -0.005, True, True, False, True),  # worse, and too little to matter
        (-0.03, -0.01, False, False, False, True),
        (-0.02, 0.0, False, False, False, False),  # touching the margin is not enough
    ],
)
def test_verdicts_at_a_margin_of_two_hundredths(low, high, equivalent, non_inferior, superior, inferior):
    verdict = margin_verdict(Interval((low + high) / 2, low, high), 0.02)
    found = (verdict.equivalent, verdict.non_inferior, verdict.superior, verdict.inferior)
    assert found == (equivalent, non_inferior, superior, inferior)


@pytest.mark.parametrize("better", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05])
def test_verdicts_on_accuracy_are_those_of_two_one_sided_tests(better, margin):
    truth, a, b = pair(better=better)
    found = equivalence(truth, a, b, margin=margin, n_classes=2, metric="accuracy")
    differences = (a == truth).astype(float) - (b == truth)
    p_value, (_, p_low, _), _ = DescrStatsW(differences).ttost_mean(-margin, margin)
    assert abs(p_value - 0.05) > 0.01, "too close to call: another seed, please"
    assert found.equivalent == (p_value < 0.05)
    assert found.non_inferior == (p_low < 0.05)


def test_the_interval_is_the_ninety_percent_one_of_the_paired_bootstrap():
    truth, a, b = pair(300)
    groups = np.arange(300) // 3
    found = equivalence(truth, a, b, margin=0.02, n_classes=2, groups=groups, n_resamples=800, seed=4)
    options = {"groups": groups, "n_resamples": 800, "seed": 4}
    assert found.difference == paired_bootstrap(truth, a, b, n_classes=2, confidence=0.9, **options)
    strict = equivalence(truth, a, b, margin=0.02, n_classes=2, alpha=0.01, **options)
    assert strict.difference == paired_bootstrap(truth, a, b, n_classes=2, confidence=0.98, **options)


def test_equivalence_is_rarely_claimed_of_models_a_margin_apart():
    claimed = 0
    for seed in range(100):
        truth, a, b = pair(800, better=0.05, seed=seed)
        claimed += equivalence(
            truth, a, b, margin=0.05, n_classes=2, metric="accuracy", n_resamples=400, seed=seed
        ).equivalent
    assert claimed <= 13  # 5 expected; 13 is more than three standard deviations above


@pytest.mark.parametrize("margin", [0, -0.1, float("nan")])
def test_a_margin_is_above_zero(margin):
    with pytest.raises(ValueError, match="margin must be above 0"):
        margin_verdict(Interval(0, -1, 1), margin)


def test_alpha_is_below_a_half():
    with pytest.raises(ValueError, match="alpha"):
        equivalence(*pair(20), margin=0.1, n_classes=2, alpha=0.5)
