import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from riqa.evaluate.framing import held_out_aucs, interval_over_folds, measurements, shrink


def stripes(period, size=64, mean=128, amplitude=60):
    """Return an image of vertical stripes, `period` pixels each."""
    wave = mean + amplitude * np.sin(2 * np.pi * np.arange(size) / period)
    return np.repeat(np.tile(wave, (size, 1))[..., None], 3, axis=2).astype(np.uint8)


def test_energy_lies_at_the_scale_of_the_stripes():
    fine, coarse = measurements([stripes(3), stripes(16)])
    # 64 px has the scales 64, 32 and 16, finest first, behind mean and standard deviation.
    assert len(fine) == len(coarse) == 5
    assert np.argmax(fine[2:]) == 0
    assert np.argmax(coarse[2:]) == 2


def test_brightness_and_spread_of_a_known_image():
    (numbers,) = measurements([stripes(16, mean=100, amplitude=40)])
    assert numbers[0] == pytest.approx(100 / 255, abs=0.003)  # whole periods: the mean is the middle
    assert numbers[1] == pytest.approx(40 / np.sqrt(2) / 255, abs=0.003)  # of a sine
    (flat,) = measurements([np.full((32, 32, 3), 90, np.uint8)])
    assert flat[1] == 0
    np.testing.assert_allclose(flat[2:], np.log(1e-8))


def test_a_smaller_image_has_fewer_scales_and_none_at_last():
    sizes = (16, 32, 64, 128)
    assert [measurements([stripes(16, size)]).shape[1] for size in sizes] == [3, 4, 5, 6]
    with pytest.raises(ValueError, match="no scale to measure"):
        measurements([stripes(4, 12)])


def test_shrink_averages_areas_and_gives_up_the_aspect_ratio():
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 4:] = 200
    np.testing.assert_array_equal(shrink([image], 2)[0, :, :, 0], [[0, 200], [0, 200]])


def auc_of(numbers, label, patients):
    return interval_over_folds(*held_out_aucs([numbers], label, patients))


def test_blur_is_told_by_fine_scales_and_lost_with_them():
    sharp = np.random.default_rng(0).integers(0, 255, (60, 64, 64, 3), dtype=np.uint8)
    images, bad = np.concatenate([sharp, shrink(shrink(sharp, 32), 64)]), np.repeat([False, True], 60)
    patients = np.tile(np.arange(60), 2)
    assert auc_of(measurements(images), bad, patients).value > 0.99
    # An average over 4 x 4 pixels is the same of an image and of its 2 x 2 averages.
    assert auc_of(measurements(shrink(images, 16)), bad, patients).value == pytest.approx(0.5, abs=0.1)


def test_a_label_without_relation_to_the_image_is_not_told():
    rng = np.random.default_rng(1)
    numbers, label = rng.normal(size=(300, 5)), rng.random(300) < 0.4
    interval = auc_of(numbers, label, np.arange(300))
    assert interval.low < 0.5 < interval.high
    with pytest.raises(ValueError, match="4 of 300 images have the label"):
        held_out_aucs([numbers], np.arange(300) < 4, np.arange(300))


def test_every_fold_is_judged_by_a_regression_that_did_not_see_its_patients():
    rng = np.random.default_rng(2)
    patients, label = np.arange(80) // 2, rng.random(80) < 0.5
    told, noise = rng.normal(size=(80, 2)) + label[:, None], rng.normal(size=(80, 3))
    found = held_out_aucs([told, noise], label, patients, seed=4)
    assert found.shape == (2, 15)
    expected = []
    for seed in range(4, 7):
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for learn, test in folds.split(told, label, patients):
            assert not set(patients[learn]) & set(patients[test])
            mean, spread = told[learn].mean(axis=0), told[learn].std(axis=0)
            fit = LogisticRegression(class_weight="balanced", solver="newton-cholesky")
            fit.fit((told[learn] - mean) / spread, label[learn])
            expected.append(roc_auc_score(label[test], fit.decision_function((told[test] - mean) / spread)))
    np.testing.assert_allclose(found[0], expected)


def test_a_fold_with_one_class_only_has_no_auc():
    """Five of 40 images have the label, all of the same patient: a fold, or the others, hold none."""
    label, patients = np.arange(40) < 5, np.maximum(np.arange(40) - 4, 0)
    (found,) = held_out_aucs([np.random.default_rng(0).normal(size=(40, 2))], label, patients)
    assert np.isnan(found).all()
    assert np.isnan(interval_over_folds(found).value)


def test_interval_over_folds_by_hand():
    values = np.array([0.7, 0.8, np.nan, 0.9, 0.8])  # mean 0.8, s^2 = 0.02 / 3, 1 / 4 + 1 / 4 = 1 / 2
    found = interval_over_folds(values)
    half = 3.182446 * np.sqrt(0.01 / 3)  # 97.5 % of t with three degrees of freedom, from a table
    assert (found.value, found.low, found.p_value) == (pytest.approx(0.8), pytest.approx(0.8 - half), None)
    assert found.high == pytest.approx(0.8 + half)
    assert interval_over_folds(values + 0.1).high == 1  # an AUC ends there
    gain = interval_over_folds(values - 0.75, test_zero=True)
    assert (gain.low, gain.high) == (pytest.approx(0.05 - half), pytest.approx(0.05 + half))
    assert gain.p_value == pytest.approx(2 * stats.t.sf(0.05 / np.sqrt(0.01 / 3), 3))
    same = interval_over_folds(np.zeros(15), test_zero=True)
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)
