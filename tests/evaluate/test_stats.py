import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score

from riqa.evaluate import stats
from riqa.evaluate.metrics import scores_from_counts
from riqa.evaluate.stats import bootstrap_interval, detail_intervals, paired_bootstrap
from riqa.labels import DETAILS


def fake(n, n_classes=3, seeds=None, seed=0, right=0.75):
    """Truth and one or more rows of predictions that are right with the given probability."""
    rng = np.random.default_rng(seed)
    y_true = rng.choice(n_classes, size=n, p=[0.5, 0.3, 0.2][:n_classes] if n_classes == 3 else [0.4, 0.6])
    shape = (n,) if seeds is None else (seeds, n)
    return y_true, np.where(rng.random(shape) < right, y_true, rng.integers(n_classes, size=shape))


def slow_replicates(y_true, pred_a, pred_b, groups, n_resamples, seed):
    """Transcribe the bootstrap image by image and seed by seed, scored by scikit-learn."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    score = {"average": "macro", "labels": [0, 1, 2], "zero_division": 0}
    differences = []
    for _ in range(n_resamples):
        drawn = np.concatenate([members[g] for g in rng.integers(len(members), size=len(members))])
        gaps = [
            f1_score(y_true[drawn], pred_a[s, drawn], **score) - f1_score(y_true[drawn], pred_b[s, drawn], **score)
            for s in rng.integers(len(pred_a), size=len(pred_a))
        ]  # fmt: skip
        differences.append(np.mean(gaps))
    return np.array(differences)


@pytest.mark.parametrize("group_size", [1, 3])
@pytest.mark.parametrize("n_seeds", [1, 2])
def test_the_paired_bootstrap_agrees_with_a_plain_loop(group_size, n_seeds):
    y_true, pred_a = fake(120, seeds=n_seeds, right=0.8)
    pred_b = fake(120, seeds=n_seeds, seed=0, right=0.7)[1]
    groups = np.arange(120) // group_size
    slow = slow_replicates(y_true, pred_a, pred_b, groups, 400, seed=5)
    fast = paired_bootstrap(y_true, pred_a, pred_b, n_classes=3, groups=groups, n_resamples=20_000)
    error = slow.std() * 4 / np.sqrt(400)  # of the loop's own mean; its quantiles are a little less certain
    assert (fast.low + fast.high) / 2 == pytest.approx(slow.mean(), abs=2 * error)
    assert [fast.low, fast.high] == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=3 * error)


def test_the_replicates_have_the_exact_distribution_of_a_proportion():
    # accuracy of 30 images, 24 right: a replicate is Binomial(30, 0.8) / 30
    pred = (np.arange(30) >= 24).astype(int)
    found = bootstrap_interval(np.zeros(30, int), pred, n_classes=2, n_resamples=200_000)["accuracy"]
    assert found.value == pytest.approx(0.8)
    # scipy.stats.binom(30, 0.8).ppf([0.025, 0.975]) / 30
    assert (found.low, found.high) == pytest.approx((19 / 30, 28 / 30))


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3]), st.sampled_from([1, 3]))
def test_values_are_the_mean_over_seeds_of_the_scores(seed, n_classes, n_seeds):
    y_true, pred = fake(50, n_classes, n_seeds, seed)
    intervals = bootstrap_interval(y_true, pred, n_classes=n_classes, n_resamples=50)
    cells = [confusion_matrix(y_true, row, labels=range(n_classes)) for row in pred]
    by_seed = [scores_from_counts(counts) for counts in cells]
    assert list(intervals) == list(by_seed[0])
    for name, interval in intervals.items():
        assert interval.value == pytest.approx(np.mean([scores[name] for scores in by_seed]))
        assert interval.low <= interval.high


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["macro_f1", "accuracy", "f1.usable"]))
def test_swapping_the_models_flips_the_difference(seed, metric):
    y_true, a = fake(60, seeds=2, seed=seed)
    b = fake(60, seeds=2, seed=seed, right=0.6)[1]
    how = {"n_classes": 3, "metric": metric, "n_resamples": 300}
    ab, same, ba = (paired_bootstrap(y_true, *pair, **how) for pair in ((a, b), (a, a), (b, a)))
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    assert ba.value == pytest.approx(-ab.value)
    assert 0 < ab.p_value <= 1
    clear = paired_bootstrap(y_true, y_true, (y_true + 1) % 3, n_classes=3, n_resamples=2000)
    assert clear.p_value == pytest.approx(2 / 2001)  # the smallest that 2,000 replicates can give


def test_p_values_are_uniform_when_there_is_no_difference():
    below = 0
    for seed in range(200):
        y_true, pair = fake(150, seeds=2, seed=seed)
        below += paired_bootstrap(y_true, *pair, n_classes=3, n_resamples=400).p_value < 0.2
    assert 20 <= below <= 62  # 40 expected; 4 standard deviations of a binomial are 23


def test_results_are_repeated_whatever_the_size_of_the_blocks_and_seed_and_confidence_are_alive(monkeypatch):
    y_true, pred = fake(80, seeds=2)

    def found(**knob):
        return bootstrap_interval(y_true, pred, n_classes=3, n_resamples=500, **knob)

    first = found()
    assert first["macro_f1"].low != found(seed=1)["macro_f1"].low
    wide, narrow = found(confidence=0.99)["macro_f1"], found(confidence=0.5)["macro_f1"]
    assert wide.low < narrow.low < narrow.high < wide.high
    monkeypatch.setattr(stats, "_CELLS_AT_ONCE", 1000)
    assert found() == first


def test_details_by_hand():
    y_true = np.array([[1, 1, 0], [1, 0, 0], [0, np.nan, 1], [0, 1, 1]])
    probs = np.array([[0.9, 0.5, 0.1], [0.2, 0.8, 0.6], [0.7, 0.9, 0.7], [0.1, 0.6, 0.8]])
    scores = {name: one.value for name, one in detail_intervals(y_true, probs, n_resamples=10).items()}
    # illumination: 1 hit, 1 missed, 1 false alarm; clarity: 2 hits (0.5 counts as good), 1 false alarm
    assert [scores[f"{detail}.f1"] for detail in DETAILS] == pytest.approx([0.5, 0.8, 0.8])
    assert (scores["clarity.precision"], scores["clarity.recall"]) == pytest.approx((2 / 3, 1))
    assert scores["macro_f1"] == pytest.approx((0.5 + 0.8 + 0.8) / 3)
    bad = [0.5, 0.0, 2 * 1 / (2 + 1)]  # F1 of the class bad, detail by detail
    both = np.mean([(0.5 + bad[0]) / 2, 0.4, (0.8 + bad[2]) / 2])
    assert scores["macro_f1_both_classes"] == pytest.approx(both)


def test_details_are_means_over_seeds_of_scikit_learns_and_one_without_truth_has_none():
    rng = np.random.default_rng(1)
    y_true = rng.integers(2, size=(90, 3)).astype(float)
    y_true[:, 1] = np.nan
    probs = np.clip(np.nan_to_num(y_true)[None] * 0.4 + rng.random((2, 90, 3)) * 0.6, 0, 1)
    found = detail_intervals(y_true, probs, n_resamples=1000)
    f1 = [[f1_score(y_true[:, k], seed[:, k] >= 0.5) for seed in probs] for k in (0, 2)]
    values = [found[name].value for name in ("illumination.f1", "contrast.f1", "macro_f1")]
    assert values == pytest.approx([np.mean(f1[0]), np.mean(f1[1]), np.mean(f1)])
    assert all(one.low < one.value < one.high for name, one in found.items() if "clarity" not in name)
    assert np.isnan([found["clarity.f1"].low, found["clarity.recall"].value]).all()
    for wrong, message in ((np.nan * probs, "must not be NaN"), (probs[..., :2], "must be")):
        with pytest.raises(ValueError, match=message):
            detail_intervals(y_true, wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pred_b": np.zeros((2, 4), int)}, "same shape"),
        ({"y_true": np.array([0, 1, 2, 3])}, "codes 0..2"),
        ({"y_true": np.array([0, 1, 2])}, "must be"),
        ({"metric": "f2"}, "metric must be one of macro_f1, precision"),
        ({"groups": np.zeros(3)}, "groups"),
        ({"n_resamples": 0}, "at least 1"),
        ({"confidence": 95}, "between 0 and 1"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    given_ = {"y_true": np.array([0, 1, 2, 2]), "pred_a": np.zeros(4, int), "pred_b": np.zeros(4, int)}
    with pytest.raises(ValueError, match=message):
        paired_bootstrap(**{**given_, "n_classes": 3, "n_resamples": 10, **change})


def test_ten_thousand_replicates_of_the_eyeq_test_set_are_quick():
    y_true, pred_a = fake(16_249, right=0.9)
    pred_b = fake(16_249, right=0.88)[1]
    patients = np.random.default_rng(0).integers(12_048, size=16_249)
    # About 0.1 s and 0.5 s on an idle core, minutes by a plain loop; the bounds leave room for a busy one.
    for groups, bound in ((None, 20), (patients, 40)):
        start = time.perf_counter()
        paired_bootstrap(y_true, pred_a, pred_b, n_classes=3, groups=groups)
        assert time.perf_counter() - start < bound
