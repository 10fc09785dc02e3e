import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fit_phantom import drawn, misfit, observed, ours, summary, table_of

COUNT = np.array([2, 2, 4])
BAD = np.array([[1, 1, 1], [1, 0, 1], [1, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]])
OVERALL = np.repeat([0, 1, 2], COUNT)


def test_shares_and_correlations_by_hand():
    shares, correlations, classes = summary(BAD, OVERALL, COUNT)
    assert shares.tolist() == [[1, 0.5, 1], [0.5, 0, 0.5], [0.25, 0.25, 0]]
    assert correlations == pytest.approx(np.corrcoef(BAD.T)[[0, 0, 1], [1, 2, 2]])
    assert classes.tolist() == [0.25, 0.25, 0.5]


def test_correlations_are_those_of_the_mix_of_classes_asked_for():
    """Twice as many of class good, whatever the mix that was drawn."""
    more = np.concatenate([BAD, BAD[OVERALL == 2]])
    expected = np.corrcoef(more.T)[[0, 0, 1], [1, 2, 2]]
    assert summary(BAD, OVERALL, np.array([2, 2, 8]))[1] == pytest.approx(expected)


def test_the_misfit_by_hand():
    wanted = (np.full((3, 3), 0.5), np.array([0.6, 0.0, 0.0]), np.array([0.25, 0.25, 0.5]))
    assert misfit(wanted, wanted, COUNT) == pytest.approx(0)
    shares = wanted[0].copy()
    shares[2, 0] = 0.25  # four photographs: 2 * 4 * (ln(2) / 2 + ln(2 / 3) / 2)
    moved = (shares, wanted[1], wanted[2])
    assert misfit(moved, wanted, COUNT) == pytest.approx(4 * np.log(4 / 3))
    moved = (wanted[0], np.array([0.5, 0.0, 0.0]), np.array([0.5, 0.25, 0.25]))
    expected = (0.1 / (0.64 / np.sqrt(8))) ** 2 + 2 * (2 * np.log(0.5) + 4 * np.log(2))
    assert misfit(moved, wanted, COUNT) == pytest.approx(expected)


@pytest.mark.skipif("RIQA_DATA" not in os.environ, reason="needs the published labels of EyeQ-D")
def test_the_package_is_within_the_intervals_of_the_real_rows():
    wanted, count = observed(Path(os.environ["RIQA_DATA"]) / "eyeq-d")
    assert count.tolist() == [33, 49, 78]
    bad = (wanted[0] * count[:, None]).round().astype(int)
    assert bad.tolist() == [[32, 27, 29], [44, 9, 22], [30, 3, 4]]
    table = table_of(drawn(*ours(), 100_000, 0, count), wanted, count)
    assert table["drawn"].between(table["low"], table["high"]).all()
