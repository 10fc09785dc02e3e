"""The multi-reader multi-case test: a published example, an independent transcription, and its error rate."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from riqa.evaluate.bootstrap import pooled_intervals
from riqa.evaluate.mrmc import (
    BySeed,
    Spread,
    interval_of_method,
    jackknife,
    mean_of_method,
    method_difference,
    method_power,
    spread_of,
)
from riqa.evaluate.stats import paired_bootstrap, paired_cells


def with_covariance(values, shared):
    """Let any two seeds share a covariance."""
    n = len(values)
    return BySeed(np.array(values), np.where(np.eye(n, dtype=bool), 0.001, shared))


# Van Dyke et al. 1993: five readers, two techniques, 114 patients. AUCs and results as printed by two other programs,
# MRMCaov 0.3 (mrmc(empirical_auc(truth, rating), treatment, reader, case, data = VanDyke)) and RJafroc's dataset02.
AUC = np.array([0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066,
                0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169]).reshape(2, 5)  # fmt: skip


def test_the_difference_in_the_van_dyke_study_is_as_published():
    by_reader = with_covariance(AUC[0] - AUC[1], 2 * (0.0003440748 - 0.0002390284))
    found = interval_of_method(by_reader)
    assert found.value == pytest.approx(-0.04380032, abs=1e-7)
    assert (found.low, found.high) == pytest.approx((-0.0879594986, 0.0003588544), abs=1e-7)
    assert found.p_value == pytest.approx(0.05166569, abs=1e-6)


@pytest.mark.parametrize(
    ("row", "cov2", "expected"),
    [
        (0, 0.0004839618, (0.8970370, 0.8252236, 0.9688505)),
        (1, 0.0002041879, (0.9408374, 0.8941378, 0.9875369)),
    ],
)
def test_each_technique_alone_is_as_published(row, cov2, expected):
    found = interval_of_method(with_covariance(AUC[row], cov2))
    assert (found.value, found.low, found.high) == pytest.approx(expected, abs=1e-6)


def study(rng, n_seeds, n_patients=60, spread=0.4, better=0.0):
    """Two methods whose networks have skills of their own; both photographs of a patient are alike."""
    truth = rng.integers(3, size=2 * n_patients)
    hard = np.repeat(rng.normal(size=n_patients), 2) + rng.normal(size=2 * n_patients) / 2
    skill = rng.normal(size=(2, n_seeds, 1)) * spread + np.array([better, 0])[:, None, None]
    right = 0.8 + skill + hard + rng.normal(size=(2, n_seeds, len(truth))) / 2 > 0
    called = np.where(right, truth, (truth + rng.integers(1, 3, size=right.shape)) % 3)
    return truth, *called, np.repeat(np.arange(n_patients), 2)


def anova(theta, covariance):
    """Test two techniques as Hillis 2014 writes it: theta (2, r), covariance (2r, 2r) in the order of theta."""
    r = theta.shape[1]
    mean, of_technique, of_reader = theta.mean(), theta.mean(axis=1), theta.mean(axis=0)
    ms_t = r * ((of_technique - mean) ** 2).sum()
    ms_tr = ((theta - of_technique[:, None] - of_reader + mean) ** 2).sum() / (r - 1)
    places = list(itertools.product(range(2), range(r)))
    cov2, cov3 = (
        np.mean([
            covariance[x, y]
            for (x, (i, j)), (y, (k, m)) in itertools.product(enumerate(places), repeat=2)
            if j != m and (i == k) == same
        ])
        for same in (True, False)
    )  # fmt: skip
    denominator = ms_tr + max(r * (cov2 - cov3), 0)
    df = denominator**2 / (ms_tr**2 / (r - 1))
    half = scipy.stats.t.ppf(0.975, df) * np.sqrt(2 / r * denominator)
    lead = of_technique[0] - of_technique[1]
    return lead - half, lead + half, scipy.stats.f.sf(ms_t / denominator, 1, df)


@pytest.mark.parametrize(("n_seeds", "spread", "better"), [(2, 0.5, 0.4), (3, 0.0, 0.2), (4, 0.3, 0.6)])
def test_the_test_is_the_analysis_of_variance_with_a_plain_jackknife(n_seeds, spread, better):
    truth, a, b, patients = study(np.random.default_rng(n_seeds), n_seeds, 25, spread, better)

    def scores(kept):
        return [f1_score(truth[kept], row[kept], average="macro", zero_division=0) for row in (*a, *b)]

    without = np.array([scores(patients != patient) for patient in range(25)])
    covariance = 24**2 / 25 * np.cov(without.T)  # the jackknife: (P - 1) / P times a sum of squares
    expected = anova(np.reshape(scores(patients >= 0), (2, n_seeds)), covariance)
    found = method_difference(truth, a, b, n_classes=3, groups=patients)
    assert (found.low, found.high, found.p_value) == pytest.approx(expected, rel=1e-9)
    with pytest.raises(ValueError, match="confidence must lie"):
        method_difference(truth, a, b, n_classes=3, groups=patients, confidence=1.0)


def test_the_jackknife_agrees_with_drawing_patients():
    truth, a, b, patients = study(np.random.default_rng(5), 2, n_patients=150)
    found = jackknife(*paired_cells(truth, a, b, 3, "macro_f1"), patients)
    rng, rows, drawn = np.random.default_rng(1), np.arange(len(truth)).reshape(150, 2), []
    for _ in range(300):
        kept = rows[rng.integers(150, size=150)].ravel()
        pairs = zip(a, b, strict=True)
        scores = [[f1_score(truth[kept], x[kept], average="macro") for x in pair] for pair in pairs]
        drawn.append(np.subtract(*np.transpose(scores)))
    # 300 draws know a variance to within 8 %, one standard error
    np.testing.assert_allclose(np.diag(found.covariance), np.var(drawn, axis=0), rtol=0.3)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_a_difference_in_accuracy_is_a_mean_and_turns_with_its_sides(seed, n_seeds):
    truth, a, b, patients = study(np.random.default_rng(seed), n_seeds, n_patients=20)
    found = method_difference(truth, a, b, n_classes=3, metric="accuracy", groups=patients)
    mean = mean_of_method((a == truth) * 1.0 - (b == truth), groups=patients)
    turned = method_difference(truth, b, a, n_classes=3, metric="accuracy", groups=patients)
    numbers = [found.value, found.low, found.high, found.p_value]
    assert numbers == pytest.approx([mean.value, mean.low, mean.high, mean.p_value], abs=1e-9)
    assert numbers == pytest.approx([-turned.value, -turned.high, -turned.low, turned.p_value], abs=1e-9)
    pairs = [accuracy_score(truth, x) - accuracy_score(truth, y) for x, y in zip(a, b, strict=True)]
    assert found.value == pytest.approx(np.mean(pairs), abs=1e-12)
    narrow = method_difference(truth, a, b, n_classes=3, metric="accuracy", groups=patients, confidence=0.9)
    assert found.low <= narrow.low <= narrow.high <= found.high
    assert (found.low > 0 or found.high < 0) == (found.p_value < 0.05)


def test_a_mean_leaves_out_what_is_missing_and_weighs_pairs_of_seed_and_image_alike():
    values = np.array([[0.1, np.nan, 0.3, 0.2], [0.0, 0.2, np.nan, np.nan]])
    found = mean_of_method(values)
    pooled = pooled_intervals(values[None], groups=np.arange(4))[0].value
    assert found.value == pytest.approx(0.8 / 5) == pooled

    def by_seed(values):  # each seed's part of the ratio, linear in its sum and number of values
        sums, counts = np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1)
        mean = sums.sum() / counts.sum()
        return mean + (sums - mean * counts) / (counts.sum() / 2)

    without = [by_seed(np.delete(values, i, axis=1)) for i in range(4)]
    expected = interval_of_method(BySeed(by_seed(values), 9 / 4 * np.cov(np.transpose(without))))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert np.isnan(mean_of_method(np.full((2, 3), np.nan)).value)


def test_an_interval_over_uneven_seeds_covers_as_often_as_it_says():
    """Seeds that answer for different numbers of images, as where each has its own bad ones: 95 %, within 2 %."""
    rng, hits, n = np.random.default_rng(0), 0, 1_500
    for _ in range(n):
        values = 0.1 + 0.1 * rng.normal(size=(5, 1)) + 0.1 * rng.normal(size=60)
        values = values + 0.3 * rng.normal(size=(5, 60))
        values[rng.random((5, 60)) < rng.uniform(0.2, 0.8, size=(5, 1))] = np.nan
        found = mean_of_method(values)
        hits += found.low <= 0.1 <= found.high
    assert hits / n == pytest.approx(0.95, abs=0.02)


def test_one_seed_or_one_patient_says_nothing_about_methods():
    truth, a, b, patients = study(np.random.default_rng(0), 3)
    for pair, groups in (((a[:1], b[:1]), patients), ((a[0], b[0]), patients), ((a, b), 0 * patients)):
        found = method_difference(truth, *pair, n_classes=3, groups=groups)
        assert np.isfinite(found.value)
        assert np.isnan([found.low, found.high, found.p_value]).all()


def test_methods_that_never_differ_are_equal():
    truth, a, _, patients = study(np.random.default_rng(0), 3)
    found = method_difference(truth, a, a, n_classes=3, groups=patients)
    assert (found.value, found.low, found.high, found.p_value) == (0, 0, 0, 1)
    always = np.tile(truth, (3, 1))
    found = method_difference(truth, always, (always + 1) % 3, n_classes=3, groups=patients)
    assert (found.value, found.low, found.p_value) == (1, 1, 0)


def test_seeds_that_agree_leave_the_patients():
    """Without variance between seeds the test is the usual one over patients, with normal tails."""
    rng = np.random.default_rng(2)
    values = np.tile(rng.normal(size=50) + 0.2, (3, 1))
    found = mean_of_method(values)
    error = values[0].std(ddof=1) / np.sqrt(50)
    assert found.high - found.value == pytest.approx(scipy.stats.norm.ppf(0.975) * error)


def equal_methods(n_studies, n_seeds, n_patients=60):
    """Draw who is right in studies of two equal methods, (n, 2, S, P, 2); networks differ visibly in skill."""
    rng = np.random.default_rng(n_seeds)
    shape = (n_studies, 2, n_seeds, n_patients, 2)  # two photographs of each patient
    hard = rng.normal(size=(n_studies, 1, 1, n_patients, 1))
    hard = hard + rng.normal(size=(n_studies, 1, 1, *shape[3:])) / 2
    skill = 0.6 * rng.normal(size=(*shape[:3], 1, 1))
    return 0.8 + skill + hard + rng.normal(size=shape) / 2 > 0


# Shares of false alarms at a level of 0.05: 2,000 studies have a standard error of 0.005, 300 one of 0.02. With three
# seeds the bootstrap errs four times too often, with ten twice.
@pytest.mark.parametrize(("n_seeds", "bootstrap"), [(3, (0.13, 0.29)), (5, (0.06, 0.2)), (10, (0.02, 0.16))])
def test_the_type_1_error_holds_with_few_seeds_and_that_of_the_bootstrap_does_not(n_seeds, bootstrap):
    right = equal_methods(2_000, n_seeds)
    leads = np.subtract(*right.mean(axis=-1).swapaxes(0, 1))  # of each patient, (n, S, P)
    new = [interval_of_method(BySeed(of.mean(axis=1), np.cov(of) / of.shape[1])).p_value for of in leads]
    assert 0.03 <= np.mean(np.array(new) < 0.05) <= 0.08
    patients, old = np.repeat(np.arange(60), 2), []
    how = {"n_classes": 2, "metric": "accuracy", "groups": patients}
    for seed, study in enumerate(right[:300].reshape(300, 2, n_seeds, -1).astype(int)):
        old.append(paired_bootstrap(study[0, 0] * 0 + 1, *study, n_resamples=200, seed=seed, **how).p_value)
        if seed < 5:  # for means the test is the one just made, without its short cut
            assert method_difference(study[0, 0] * 0 + 1, *study, **how).p_value == pytest.approx(new[seed])
    assert bootstrap[0] <= np.mean(np.array(old) < 0.05) <= bootstrap[1]


def test_the_spread_of_a_difference_adds_up():
    values = np.array([0.03, 0.01, 0.05])
    by_seed = BySeed(values, np.full((3, 3), 0.0001) + np.diag([0.0001, 0.0002, 0.0003]))
    found = spread_of(by_seed)
    assert found == pytest.approx((0.0004 - 0.0002, 0.0002, 0.0001))
    assert spread_of(BySeed(values, np.eye(3))) == (0, 1, 0)  # what cannot be negative is 0
    assert np.isnan(spread_of(BySeed(values[:1], np.eye(1)))).all()


@pytest.mark.parametrize(("n_seeds", "times"), [(3, 1.0), (6, 0.5), (12, 4.0)])
def test_power_is_the_share_of_simulated_studies_that_find_the_difference(n_seeds, times):
    """Leads and their covariance drawn by the model itself; the test is made as on the pages."""
    spread, rng = Spread(0.0004, 0.0002, 0.0001), np.random.default_rng(0)
    own, shared = spread.own / times, spread.shared / times
    covariance = np.full((n_seeds,) * 2, shared) + np.eye(n_seeds) * own
    found = 0
    for _ in range(1_500):
        leads = 0.025 + rng.normal(size=n_seeds) * np.sqrt(spread.seeds + own)
        leads += rng.normal() * np.sqrt(shared)
        found += interval_of_method(BySeed(leads, covariance)).low > 0
    expected = method_power(0.025, spread, n_seeds=n_seeds, times_patients=times)
    assert found / 1_500 == pytest.approx(expected, abs=0.05)  # 0.013 is one standard error


def test_power_at_no_difference_is_half_the_level_and_one_seed_has_none():
    spread = Spread(0.0004, 0.0002, 0.0001)
    assert method_power(0.0, spread, n_seeds=4) == pytest.approx(0.025, abs=1e-6)
    assert method_power(0.0, spread, n_seeds=4, alpha=0.2) == pytest.approx(0.1, abs=1e-6)
    assert np.isnan(method_power(0.5, spread, n_seeds=1))
    assert np.isnan(method_power(np.zeros(3), Spread(0, 0, 0), n_seeds=3)).all()
    curve = method_power(np.linspace(0, 0.1, 20), spread, n_seeds=4)
    assert (np.diff(curve) > 0).all()
    # Without variance between seeds the test is one over patients alone, with normal tails.
    fixed = method_power(0.03, Spread(0, 0, 0.0001), n_seeds=5)
    assert fixed == pytest.approx(scipy.stats.norm.sf(1.959964 - 3), abs=1e-4)
    for wrong in ({"n_seeds": 0}, {"n_seeds": 3, "times_patients": 0}, {"n_seeds": 3, "alpha": 1}):
        with pytest.raises(ValueError, match="out of range"):
            method_power(0.1, spread, **wrong)
