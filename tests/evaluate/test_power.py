import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import f1_score

from riqa.evaluate.power import (
    detectable_difference,
    joint_counts,
    joint_difference,
    power,
    power_curve,
    shifted,
)
from riqa.evaluate.stats import paired_bootstrap


def predictions(n=400, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n)
    a = np.where(rng.random(n) < 0.8, truth, rng.integers(n_classes, size=n))
    b = np.where(rng.random(n) < 0.7, a, rng.integers(n_classes, size=n))
    return truth, a, b


def test_joint_counts_by_hand():
    counts = joint_counts([0, 1, 1], [[0, 1, 0], [0, 1, 1]], [[0, 0, 0], [1, 1, 1]], 2)
    assert counts.tolist() == [[[1, 1], [0, 0]], [[1, 0], [1, 2]]]
    assert counts.sum() == 6
    with pytest.raises(ValueError, match="disagree"):
        joint_counts([0, 1], [0, 1], [0, 1, 1], 2)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3]))
def test_the_difference_of_a_table_is_that_of_its_predictions(seed, n_classes):
    truth, a, b = predictions(90, n_classes, seed)
    expected = [f1_score(truth, x, average="macro", labels=range(n_classes), zero_division=0) for x in (a, b)]
    found = joint_difference(joint_counts(truth, a, b, n_classes))
    assert found == pytest.approx(expected[0] - expected[1])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_shifting_moves_only_the_right_answers_of_b(seed, lost):
    joint = joint_counts(*predictions(seed=seed), 3)
    none, moved = shifted(joint, 0), shifted(joint, lost)
    assert joint_difference(none) == pytest.approx(0)
    assert moved.sum() == pytest.approx(1)
    assert (moved >= 0).all()
    np.testing.assert_allclose(moved.sum(axis=2), none.sum(axis=2))  # truth and A are as they were
    right = np.einsum("tat->t", none)
    np.testing.assert_allclose(np.einsum("tat->t", moved), (1 - lost) * right, atol=1e-12)
    assert joint_difference(moved) >= -1e-12


def test_errors_of_a_class_without_any_are_spread_evenly():
    joint = np.zeros((3, 3, 3))
    joint[0, 0, 0] = joint[1, 1, 1] = joint[2, 2, 2] = 5
    assert shifted(joint, 0.5)[0, 0].tolist() == pytest.approx([1 / 6, 1 / 12, 1 / 12])


def test_power_of_a_difference_in_accuracy_follows_the_formula():
    # Balanced binary, errors alike in both classes: macro-F1 is then accuracy. A alone is right on 12 %,
    # B alone on 4 %, so d = 0.08 and the standard error of n images is sqrt((0.16 - 0.08 ** 2) / n).
    joint = np.zeros((2, 2, 2))
    for true in (0, 1):
        joint[true, true, true], joint[true, true, 1 - true] = 0.4, 0.06
        joint[true, 1 - true, true], joint[true, 1 - true, 1 - true] = 0.02, 0.02
    for n in (100, 160, 300):
        expected = norm.sf(1.959964 - 0.08 / np.sqrt((0.16 - 0.0064) / n))
        assert power(joint, n) == pytest.approx(expected, abs=0.035)


def test_power_is_that_of_the_paired_bootstrap():
    world = shifted(joint_counts(*predictions(), 3), 0.12)
    rng, found = np.random.default_rng(1), 0
    for _ in range(200):
        truth, a, b = np.unravel_index(rng.choice(27, size=160, p=world.ravel()), (3, 3, 3))
        found += paired_bootstrap(truth, a, b, n_classes=3, n_resamples=400).low > 0
    assert power(world, 160) == pytest.approx(found / 200, abs=0.12)  # 3.4 standard errors of 200 studies


def test_without_a_difference_few_studies_find_one():
    world = shifted(joint_counts(*predictions(), 3), 0)
    assert power(world, 160) == pytest.approx(0.025, abs=0.015)
    assert power(world, 160, alpha=0.4) == pytest.approx(0.2, abs=0.04)


def test_power_grows_with_images_and_with_the_difference():
    joint = joint_counts(*predictions(), 3)
    curve = power_curve(joint, 160)
    assert curve["difference"].is_monotonic_increasing
    assert curve["power"].diff().min() > -0.02
    assert power(shifted(joint, 0.06), 640) > power(shifted(joint, 0.06), 160) + 0.1
    small, large = (detectable_difference(power_curve(joint, n)) for n in (640, 160))
    assert large == pytest.approx(2 * small, rel=0.2)  # precision grows with the square root of n


def test_the_same_seed_gives_the_same_power_and_knobs_are_alive():
    joint = joint_counts(*predictions(), 3)
    world = shifted(joint, 0.1)
    assert power(world, 160) == power(world, 160)
    assert power(world, 160, seed=1) != power(world, 160)
    assert power(world, 160, n_studies=7) * 7 == pytest.approx(round(power(world, 160, n_studies=7) * 7))


def test_the_detectable_difference_is_read_between_the_rows():
    curve = pd.DataFrame({"difference": [0, 0.1, 0.2], "power": [0.02, 0.6, 1.0]})
    assert detectable_difference(curve) == pytest.approx(0.15)
    assert detectable_difference(curve, 0.6) == pytest.approx(0.1)
    assert np.isnan(detectable_difference(curve.iloc[:2]))


def test_wrong_arguments_are_named():
    joint = joint_counts(*predictions(), 3)
    with pytest.raises(ValueError, match="lost"):
        shifted(joint, 1.1)
    with pytest.raises(ValueError, match="n_images"):
        power(joint, 0)
