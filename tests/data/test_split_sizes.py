from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.data.split_sizes import moves_to_sizes, split_sizes


def test_sizes_by_hand():
    # 10 % of EyeQ's 12,543 training images are 1,254.3.
    assert split_sizes(12543, [0.9, 0.1]).tolist() == [11289, 1254]
    assert split_sizes(642, [577 / 642, 65 / 642]).tolist() == [577, 65]
    assert split_sizes(7, [0.5, 0.25, 0.25]).tolist() == [3, 2, 2]  # 3.5, 1.75, 1.75
    assert split_sizes(4, [0.95, 0.05]).tolist() == [3, 1]


@settings(max_examples=50)
@given(n=st.integers(3, 5000), weights=st.lists(st.floats(0.01, 1), min_size=2, max_size=3))
def test_sizes_sum_up_and_are_near(n, weights):
    shares = np.array(weights) / sum(weights)
    sizes = split_sizes(n, shares)
    assert sizes.sum() == n
    assert sizes.min() >= 1
    assert (np.abs(sizes - n * shares) < 1.001).all() or n * shares.min() < 1


def totals(sizes, chosen, n):
    return [int(sizes[chosen == k].sum()) for k in range(n)]


def moved(sizes, chosen, targets):
    """Move the first patient that fits, move by move; fails if there is none."""
    chosen = chosen.copy()
    for size, source, target in moves_to_sizes(sizes, chosen, targets):
        chosen[np.flatnonzero((sizes == size) & (chosen == source))[0]] = target
    return chosen


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=4, max_size=7),
    cut=st.integers(1, 3),
    wanted=st.integers(1, 20),
    n=st.integers(2, 3),
)
def test_sizes_are_met_whenever_any_division_meets_them(sizes, cut, wanted, n):
    sizes = np.array(sizes)
    chosen = np.minimum(np.arange(len(sizes)) // cut, n - 1)
    if len(set(chosen)) < n:
        chosen = np.arange(len(sizes)) % n
    targets = np.array([wanted, *[1] * (n - 2), 0])
    targets[-1] = sizes.sum() - targets.sum()
    if targets[-1] < 1:
        return
    divisions = [np.array(d) for d in product(range(n), repeat=len(sizes)) if len(set(d)) == n]
    least = min(np.abs(np.array(totals(sizes, d, n)) - targets).sum() for d in divisions)
    after = moved(sizes, chosen, targets)
    assert np.abs(np.array(totals(sizes, after, n)) - targets).sum() == least
    assert set(after) == set(range(n))


def test_as_few_patients_as_possible_are_moved():
    sizes, chosen = np.array([2, 2, 1, 1, 1, 3]), np.array([0, 0, 0, 0, 0, 1])
    assert moves_to_sizes(sizes, chosen, np.array([7, 3])) == []
    assert moves_to_sizes(sizes, chosen, np.array([5, 5])) == [(2, 0, 1)]
    assert len(moves_to_sizes(sizes, chosen, np.array([8, 2]))) == 2  # 3 back, 2 over


@pytest.mark.parametrize(("size", "train"), [(2, 8), (4, 12)])
def test_impossible_sizes_end_at_the_nearest(size, train):
    # 7 of patients with 2 images each: 6 and 8 are as near, and 8 needs fewer moves. 13 with 4 each: 12.
    sizes, chosen = np.full(9, size), np.array([0] * 5 + [1] * 4)
    targets = np.array([3 * size + 1, 6 * size - 1])
    after = moved(sizes, chosen, targets)
    assert totals(sizes, after, 2) == [train, 9 * size - train]
