"""Levels set by shares alone, on training photographs of each seed: cuts found by hand, proportions met."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize
from scipy.special import expit, logit

from riqa.labels import DETAILS, class_names
from riqa.learn.level import LEVELS, fit_intercepts, fit_proportions, known_counts, set_level

P = [f"p_{detail}" for detail in DETAILS]
SHARES = pd.DataFrame([[0.8, 0.8, 0.9], [0.6, 0.2, 0.5], [0.4, 0.0, 0.1]], class_names(3), list(DETAILS))


def called_bad(logits, overall):
    """Return the shares of logits below 0, one row per class."""
    return np.array([(logits[overall == k] < 0).mean(axis=0) for k in range(overall.max() + 1)])


def test_an_intercept_moves_the_cut_to_where_the_shares_are():
    # In class 0 half, in class 1 nothing is bad: the cut belongs between 2 and 5, where it calls 1 and 2 bad.
    logits, overall = np.array([[1.0], [2.0], [5.0], [6.0], [7.0], [8.0]]), np.array([0, 0, 0, 0, 1, 1])
    assert fit_intercepts(logits, overall, np.array([[0.5], [0.0]])) == pytest.approx(-3.5)


@settings(max_examples=60)
@given(
    hnp.arrays(float, (14, 2), elements=st.integers(-6, 6).map(float)),
    hnp.arrays(int, 14, elements=st.integers(0, 2)),
    hnp.arrays(float, (3, 2), elements=st.integers(0, 10).map(lambda k: k / 10)),
)
def test_no_other_cut_is_nearer(logits, overall, shares):
    overall[:3] = [0, 1, 2]  # every class has an image

    def distance(intercepts):
        return ((called_bad(logits + intercepts, overall) - shares) ** 2).sum(axis=0)

    tried = [distance(np.full(2, cut)) for cut in np.arange(-7.5, 8)]
    found = distance(fit_intercepts(logits, overall, shares))
    np.testing.assert_allclose(found, np.min(tried, axis=0), atol=1e-12)


def planted(seed):
    """Answers of a Teacher whose second detail is only half its own: the first one leaks into it."""
    overall, centres = np.repeat([0, 1, 2], 300), [[-1.5, -1.0, -1.2], [-0.2, 0.8, 0.1], [1.0, 2.0, 1.8]]
    truth = np.random.default_rng(seed).normal(size=(900, 3)) + np.array(centres)[overall]
    leak = np.array([[1.0, 0.7, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return truth @ leak + np.array([2.0, 3.0, -1.0]), overall, called_bad(truth, overall)


def proportion_loss(numbers, z, overall, shares):
    """Write the loss plainly: sharpness 4, cross-entropy of means by class, and 0.003 times the distance."""
    matrix, bias, terms = numbers[:9].reshape(3, 3), numbers[9:], []
    for k, known in enumerate(shares):
        p = expit(-4 * (z[overall == k] @ matrix + bias)).mean(axis=0).clip(1e-6, 1 - 1e-6)
        terms.append(-known * np.log(p) - (1 - known) * np.log(1 - p))
    return np.mean(terms) + 0.003 * ((matrix - np.eye(3)) ** 2).sum()


def test_a_layer_learned_from_proportions_is_the_best_and_comes_nearer_than_intercepts():
    z, overall, shares = planted(1)
    matrix, bias = fit_proportions(z, overall, shares)
    found = np.append(matrix.ravel(), bias)
    best = minimize(proportion_loss, found, (z, overall, shares)).fun
    assert proportion_loss(found, z, overall, shares) == pytest.approx(best, abs=1e-6)
    moved = (z, z + fit_intercepts(z, overall, shares), z @ matrix + bias)
    raw, one, learned = (np.abs(called_bad(each, overall) - shares).max() for each in moved)
    assert learned < one < raw
    assert learned < 0.05
    # What the shares leave open stays the Teacher's.
    np.testing.assert_allclose(fit_proportions(z, overall, shares, pull=1e3)[0], np.eye(3), atol=1e-3)


def answers(seeds=(0, 1), n=300):
    rng, frames = np.random.default_rng(0), []
    for seed in seeds:
        overall = np.tile([0, 1, 2], n // 3)
        z = rng.normal(size=(n, 3)) + overall[:, None] + 3 + seed  # a Teacher to which all looks good
        frame = pd.DataFrame(expit(z), columns=P).assign(overall=overall.astype(float), seed=seed)
        frames.append(frame.assign(split=np.where(np.arange(n) < n // 2, "train", "test")))
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize(
    ("level", "bound"), [("intercepts", 0.2), ("class_intercepts", 0.011), ("proportions", 0.2)]
)
def test_every_seed_gets_its_own_level_and_the_order_of_rows_stays(level, bound):
    raw = answers()
    moved = set_level(raw, SHARES, level)
    pd.testing.assert_frame_equal(moved.drop(columns=P), raw.drop(columns=P))
    for (split, _), rows in moved.groupby(["split", "seed"]):
        overall = rows["overall"].to_numpy(int)
        before, after = (
            called_bad(logit(frame.loc[rows.index, P].to_numpy()), overall) for frame in (raw, moved)
        )
        assert np.abs(before - SHARES).to_numpy().max() > 0.7
        assert np.abs(after - SHARES).to_numpy().max() <= bound + 0.15 * (split == "test")
    if level == "intercepts":  # one number a detail and a seed
        by_seed = (logit(moved[P]) - logit(raw[P])).groupby(raw["seed"])
        np.testing.assert_allclose(by_seed.agg(np.ptp), 0, atol=1e-6)


@pytest.mark.parametrize("level", LEVELS)
def test_neither_test_photographs_nor_a_class_that_training_lacks_teach_anything(level):
    raw = answers(seeds=(0,))
    train = raw["split"] == "train"
    other = raw.copy()
    other.loc[~train, P], other.loc[~train, "overall"] = 0.123, 0.0
    first, second = (set_level(frame, SHARES, level)[train] for frame in (raw, other))
    pd.testing.assert_frame_equal(first, second)
    without = raw[~train | (raw["overall"] != 0)].reset_index(drop=True)
    moved = set_level(without, SHARES, level)
    assert np.isfinite(moved[P].to_numpy()).all()
    shares = SHARES.copy()
    shares.loc["reject"] = 0.123
    pd.testing.assert_frame_equal(set_level(without, shares, level), moved)


def test_an_image_without_a_class_has_no_class_intercept():
    raw = answers(seeds=(0,))
    raw.loc[3, "overall"] = np.nan
    moved = set_level(raw, SHARES, "class_intercepts")
    np.testing.assert_allclose(moved.loc[3, P].astype(float), raw.loc[3, P].astype(float))
    assert (moved.loc[4, P] != raw.loc[4, P]).all()
    with pytest.raises(ValueError, match="level is 'some'"):
        set_level(raw, SHARES, "some")


def test_known_counts_are_those_of_a_manifest_or_the_published_ones():
    manifest = pd.DataFrame({"overall": [0, 0, 2, 2, 2, 1, np.nan, 1]}).assign(clarity=1.0, contrast=1.0)
    manifest["illumination"] = [0, 0, 1, 0, 1, 0, 0, np.nan]
    n_bad, n = known_counts("observers", manifest)
    assert n.to_dict() == {"reject": 2, "usable": 1, "good": 3}
    assert n_bad["illumination"].to_dict() == {"reject": 2, "usable": 1, "good": 1}
    assert (n_bad["clarity"] == 0).all()
    # Nothing known, or reject and good alone, which are not the classes of any set.
    for other in (manifest.assign(overall=np.nan), manifest[manifest["overall"] != 1]):
        n_bad, n = known_counts("observers", other)
        assert len(n_bad) == len(n) == 0
        assert n_bad.index.dtype == n.index.dtype == "str"  # to be joined with named classes
    n_bad, n = known_counts("eyeq_d", manifest)
    assert (n["reject"], n_bad.loc["reject", "illumination"]) == (33, 32)
    with pytest.raises(ValueError, match="source is 'paper'"):
        known_counts("paper", manifest)
