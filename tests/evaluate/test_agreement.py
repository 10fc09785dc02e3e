import warnings
from itertools import combinations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats import inter_rater

from riqa.evaluate import agreement

NAN = np.nan
# Four raters, twelve units, five classes, holes: the example of Hayes and Krippendorff (2007), which the R
# package irrCAC ships as cac.raw4raters; its functions print the coefficients asserted below.
FOUR_RATERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]


def pair(both_good, first_only, second_only, both_bad):
    """Ratings of two raters from a two-by-two table."""
    cells = [(1, 1), (1, 0), (0, 1), (0, 0)]
    return np.repeat(cells, [both_good, first_only, second_only, both_bad], axis=0).astype(float)


def test_coefficients_are_those_published_for_panels_of_unequal_size():
    counts = agreement.vote_counts(np.transpose(FOUR_RATERS) - 1, 5)
    assert agreement.raw_agreement(counts) == pytest.approx(0.81818, abs=1e-5)
    assert agreement.fleiss_kappa(counts) == pytest.approx(0.76117, abs=1e-5)
    assert agreement.gwet_ac1(counts) == pytest.approx(0.77544, abs=1e-5)
    assert agreement.krippendorff_alpha(counts) == pytest.approx(0.743421, abs=1e-6)


def test_the_kappa_paradox_of_feinstein_and_cicchetti():
    # Their two tables (doi:10.1016/0895-4356(90)90158-L): 85 of 100 agree in both, kappa is 0.70 and 0.32.
    balanced, skewed = pair(40, 9, 6, 45), pair(80, 10, 5, 5)
    kappas = [agreement.cohen_kappa(*table.T) for table in (balanced, skewed)]
    ac1s = [agreement.gwet_ac1(agreement.vote_counts(table)) for table in (balanced, skewed)]
    assert kappas == pytest.approx([0.70, 0.32], abs=0.005)
    assert ac1s[1] > ac1s[0] > 0.69


ratings = st.lists(
    st.lists(st.sampled_from([0.0, 1.0, NAN]), min_size=4, max_size=4), min_size=3, max_size=20
).map(np.array)


@settings(max_examples=60)
@given(ratings)
def test_coefficients_of_random_panels_are_those_of_loops_and_libraries(scores):
    counts = agreement.vote_counts(scores)
    votes = [row[~np.isnan(row)] for row in scores]
    shares = [np.mean([a == b for a, b in combinations(panel, 2)]) for panel in votes if len(panel) > 1]
    expected = np.mean(shares) if shares else NAN
    assert agreement.raw_agreement(counts) == pytest.approx(expected, nan_ok=True)
    several, expected = scores[(~np.isnan(scores)).sum(axis=1) >= 2], NAN
    if len(np.unique(several[~np.isnan(several)])) > 1:
        expected = krippendorff.alpha(several.T, level_of_measurement="nominal", value_domain=[0, 1])
    assert agreement.krippendorff_alpha(counts) == pytest.approx(expected, nan_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [agreement.cohen_kappa(a, b) for a, b in combinations(scores.T, 2)]
    for kappa, pair_of in zip(found, combinations(range(4), 2), strict=True):
        both = scores[:, pair_of]
        both = both[~np.isnan(both).any(axis=1)].astype(int)
        expected = cohen_kappa_score(*both.T) if len(np.unique(both)) > 1 else NAN
        assert kappa == pytest.approx(expected, nan_ok=True)


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from([0, 1, 2]), min_size=3, max_size=3), min_size=2, max_size=20))
def test_fleiss_kappa_is_that_of_statsmodels_where_panels_are_equal(scores):
    counts = agreement.vote_counts(np.array(scores, dtype=float), 3)
    if (counts.sum(axis=0) > 0).sum() > 1:
        assert agreement.fleiss_kappa(counts) == pytest.approx(inter_rater.fleiss_kappa(counts))


def test_constant_ratings_have_no_kappa_but_an_ac1():
    counts = agreement.vote_counts(np.ones((6, 3)))
    assert agreement.raw_agreement(counts) == agreement.gwet_ac1(counts) == 1
    found = agreement.agreement_intervals(counts, np.arange(6), n_resamples=20)
    for name in ("fleiss_kappa", "krippendorff_alpha"):
        assert np.isnan([found[name].value, found[name].low]).all()
    assert found["gwet_ac1"].low == 1


def test_images_that_one_rater_saw_say_nothing_and_other_codes_are_refused():
    counts = agreement.vote_counts(np.array([[1, NAN], [0, NAN], [NAN, NAN]]))
    assert all(np.isnan(of(counts)) for of in agreement.COEFFICIENTS.values())
    with pytest.raises(ValueError, match=r"codes 0\.\.1 or NaN"):
        agreement.vote_counts(np.array([[0, 2]]))


def panels(n):
    rng = np.random.default_rng(0)
    quality = rng.random(n)
    scores = (quality[:, None] + 0.25 * rng.standard_normal((n, 5)) > 0.4).astype(float)
    scores[:, 3:][rng.random(n) < 0.5] = NAN
    return agreement.vote_counts(scores)


def test_intervals_are_those_of_a_plain_loop_over_patients():
    counts, groups = panels(60), np.arange(60) // 2
    found = agreement.agreement_intervals(counts, groups, n_resamples=4_000)
    rng = np.random.default_rng(9)
    drawn = [np.concatenate([[2 * g, 2 * g + 1] for g in rng.integers(30, size=30)]) for _ in range(1_000)]
    for name, of in agreement.COEFFICIENTS.items():
        loop = [of(counts[rows]) for rows in drawn]
        ends = (found[name].low, found[name].high)
        assert ends == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=0.2 * np.std(loop))
        assert found[name].value == of(counts)


def slow_dawid_skene(scores, n_iter=100):
    """Transcribe equations 2.3 to 2.5 of Dawid and Skene (1979) for two classes, image by image."""
    posterior = np.nanmean(scores, axis=1)
    for _ in range(n_iter):
        prior, truth = posterior.mean(), np.stack([1 - posterior, posterior])
        says = np.zeros((scores.shape[1], 2, 2))  # rater, true, said
        for r, true, said in np.ndindex(says.shape):
            says[r, true, said] = truth[true, scores[:, r] == said].sum()
        says = np.clip(says, 1e-10, None)
        says /= says.sum(axis=2, keepdims=True)
        for image, row in enumerate(scores):
            likelihood = np.array([1 - prior, prior])
            for r in np.flatnonzero(~np.isnan(row)):
                likelihood = likelihood * says[r, :, int(row[r])]
            posterior[image] = likelihood[1] / likelihood.sum()
    return posterior


def noisy(n=300, seed=0):
    """A truth, and five raters of whom the last is nearly blind; each image is seen by three or more."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.6).astype(float)
    right = np.array([0.95, 0.9, 0.85, 0.8, 0.55])
    scores = np.where(rng.random((n, 5)) < right, truth[:, None], 1 - truth[:, None])
    scores[rng.random(n) < 0.3, 2:4] = NAN
    return truth, scores


def test_the_posterior_is_that_of_a_plain_transcription():
    _, scores = noisy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = agreement.dawid_skene(scores)
    assert found == pytest.approx(slow_dawid_skene(scores), abs=1e-6)


def test_the_fit_goes_on_until_nothing_changes():
    """Strict and lenient experts, more bad images than good: crowd-kit's own rule stops after two iterations."""
    rng = np.random.default_rng(0)
    quality = rng.normal(size=(160, 1)) - 0.8
    leniency = np.linspace(-0.8, 0.8, 8)
    scores = (quality + leniency + 0.5 * rng.normal(size=(160, 8)) > 0).astype(float)
    found = agreement.dawid_skene(scores)
    assert found == pytest.approx(slow_dawid_skene(scores, 200), abs=1e-6)
    assert np.abs(found - slow_dawid_skene(scores, 2)).max() > 0.3


def test_images_without_ratings_and_constant_ratings_are_no_failure():
    scores = np.array([[1, 1, 1], [NAN, NAN, NAN], [1, 1, NAN]])
    assert np.array_equal(agreement.dawid_skene(scores), [1, NAN, 1], equal_nan=True)
    assert agreement.dawid_skene(1 - scores)[0] == 0
    with pytest.raises(ValueError, match="no rating"):
        agreement.dawid_skene(np.full((3, 2), NAN))


def kappas(groups, **options):
    return agreement.agreement_intervals(panels(60), groups, **options).values()


@pytest.mark.parametrize(
    ("knob", "value"),
    [("n_resamples", 150), ("seed", 1), ("confidence", 0.5), ("groups", np.arange(60) // 2)],
)
def test_every_knob_of_the_intervals_is_alive(knob, value):
    options = {"groups": np.arange(60), "n_resamples": 100, "seed": 0, "confidence": 0.95}
    before, after = list(kappas(**options)), list(kappas(**options | {knob: value}))
    assert [one.value for one in before] == [one.value for one in after]
    assert before != after
