"""Levels set on training photographs of each seed, and applied to all."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from riqa.labels import DETAILS, class_names
from riqa.learn.level import LEVELS, known_counts, set_level

P = [f"p_{detail}" for detail in DETAILS]
SHARES = pd.DataFrame(
    {"illumination": [0.8, 0.6, 0.4], "clarity": [0.8, 0.2, 0.0], "contrast": [0.9, 0.5, 0.1]},
    index=class_names(3),
)


def answers(seeds=(0, 1), n=300):
    rng, frames = np.random.default_rng(0), []
    for seed in seeds:
        overall = np.tile([0, 1, 2], n // 3)
        z = rng.normal(size=(n, 3)) + overall[:, None] + 3 + seed  # a Teacher to which all looks good
        frame = pd.DataFrame(expit(z), columns=P).assign(overall=overall.astype(float), seed=seed)
        frame["split"] = np.where(np.arange(n) < n // 2, "train", "test")
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def misses(frame):
    """Return the largest distance of a share from the one known, by split and seed."""
    called = (
        frame[P].lt(0.5).set_axis(DETAILS, axis=1).groupby([frame[c] for c in ("split", "seed", "overall")])
    )
    known = SHARES.to_numpy()
    return (
        called.mean().groupby(["split", "seed"]).apply(lambda shares: np.abs(shares - known).to_numpy().max())
    )


@pytest.mark.parametrize("level", LEVELS[1:])
def test_every_seed_gets_its_own_level_and_the_order_of_rows_stays(level):
    raw = answers()
    moved = set_level(raw, SHARES, level)
    pd.testing.assert_frame_equal(moved.drop(columns=P), raw.drop(columns=P))
    assert misses(raw).min() > 0.7
    bound = {"intercepts": 0.2, "class_intercepts": 0.011, "proportions": 0.2}[level]
    assert misses(moved)["train"].max() <= bound
    assert misses(moved)["test"].max() <= bound + 0.15


def test_an_intercept_is_one_number_a_detail_and_a_seed():
    raw = answers()
    moved = logit(set_level(raw, SHARES, "intercepts")[P]) - logit(raw[P])
    spread = moved.groupby(raw["seed"]).agg(np.ptp)
    np.testing.assert_allclose(spread, 0, atol=1e-6)
    assert (moved[raw["seed"] == 0].iloc[0] != moved[raw["seed"] == 1].iloc[0]).all()


def test_test_photographs_teach_nothing():
    raw = answers(seeds=(0,))
    other = raw.copy()
    other.loc[other["split"] == "test", P] = 0.123
    other.loc[other["split"] == "test", "overall"] = 0.0
    for level in LEVELS:
        train = raw["split"] == "train"
        first, second = set_level(raw, SHARES, level)[train], set_level(other, SHARES, level)[train]
        pd.testing.assert_frame_equal(first, second)


def test_an_image_without_a_class_has_no_class_intercept():
    raw = answers(seeds=(0,))
    raw.loc[3, "overall"] = np.nan
    moved = set_level(raw, SHARES, "class_intercepts")
    np.testing.assert_allclose(moved.loc[3, P].astype(float), raw.loc[3, P].astype(float))
    assert (moved.loc[4, P] != raw.loc[4, P]).all()


def test_an_unknown_level_is_a_slip():
    with pytest.raises(ValueError, match="level is 'some'"):
        set_level(answers(), SHARES, "some")


def test_known_counts_are_those_of_a_manifest_or_the_published_ones():
    manifest = pd.DataFrame({"overall": [0, 0, 2, 2, 2, 1, np.nan, 1]})
    manifest["illumination"] = [0, 0, 1, 0, 1, 0, 0, np.nan]
    manifest[["clarity", "contrast"]] = 1.0
    n_bad, n = known_counts("observers", manifest)
    assert n.to_dict() == {"reject": 2, "usable": 1, "good": 3}
    assert n_bad["illumination"].to_dict() == {"reject": 2, "usable": 1, "good": 1}
    assert (n_bad["clarity"] == 0).all()
    n_bad, n = known_counts("observers", manifest.assign(overall=np.nan))
    assert len(n_bad) == len(n) == 0
    assert n_bad.index.dtype == n.index.dtype == "str"  # to be joined with named classes
    n_bad, n = known_counts("observers", manifest[manifest["overall"] != 1])
    assert len(n_bad) == len(n) == 0  # reject and good alone are not the classes of any set
    n_bad, n = known_counts("eyeq_d", manifest)
    assert (n["reject"], n_bad.loc["reject", "illumination"]) == (33, 32)
    with pytest.raises(ValueError, match="source is 'paper'"):
        known_counts("paper", manifest)


@pytest.mark.parametrize("level", LEVELS[1:])
def test_a_class_that_training_lacks_teaches_nothing(level):
    raw = answers(seeds=(0,))
    raw = raw[(raw["split"] != "train") | (raw["overall"] != 0)].reset_index(drop=True)
    moved = set_level(raw, SHARES, level)
    assert np.isfinite(moved[P].to_numpy()).all()
    other = SHARES.copy()
    other.loc["reject"] = 0.123
    pd.testing.assert_frame_equal(set_level(raw, other, level), moved)
