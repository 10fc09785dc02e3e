"""Splits of exact sizes: shares as whole numbers of images, and the fewest patients to move to meet them."""

from collections import deque
from collections.abc import Sequence
from itertools import product

import numpy as np

_SEARCHED = 5_000  # ways to divide the patients that are looked at before the nearest is taken


def split_sizes(n: int, shares: Sequence[float]) -> np.ndarray:
    """Return whole numbers near `n * shares`, by largest remainders; none is 0 if `n` permits."""
    exact = np.round(n * np.asarray(shares, dtype=float), 6)  # 577 / 642 * 642 is not quite 577
    sizes = np.floor(exact).astype(int)
    sizes[np.argsort(sizes - exact, kind="stable")[: n - sizes.sum()]] += 1
    while n >= len(sizes) and (sizes == 0).any():
        sizes[np.argmax(sizes)] -= 1
        sizes[np.argmin(sizes)] += 1
    return sizes


def moves_to_sizes(sizes: np.ndarray, chosen: np.ndarray, targets: np.ndarray) -> list[tuple[int, int, int]]:
    """Return the fewest moves of patients (size, from split, to split) that give every split its target.

    `sizes` are the numbers of images of every patient, `chosen` their splits, 0 .., of which none is empty,
    and `targets` the wanted numbers of images, with the same sum. What matters is how many patients of each
    size are in each split, so the search, in breadth, is over those numbers. It ends at the nearest sizes
    that were seen when none fits, or after `_SEARCHED` of them.
    """
    kinds = sorted(set(sizes.tolist()))
    splits = range(len(targets))
    start = tuple(tuple(int(((sizes == kind) & (chosen == s)).sum()) for s in splits) for kind in kinds)

    def misfit(state) -> int:
        if not all(map(sum, zip(*state, strict=True))):
            return 10**9  # no split may stay empty
        totals = [sum(kind * row[s] for kind, row in zip(kinds, state, strict=True)) for s in splits]
        return sum(abs(total - target) for total, target in zip(totals, targets, strict=True))

    best, least, paths, queue = start, misfit(start), {start: ()}, deque([start])
    while queue and least > 0 and len(paths) < _SEARCHED:
        state = queue.popleft()
        for k, source, target in product(range(len(kinds)), splits, splits):
            if source == target or state[k][source] == 0:
                continue
            row = list(state[k])
            row[source] -= 1
            row[target] += 1
            after = (*state[:k], tuple(row), *state[k + 1 :])
            if after in paths:
                continue
            paths[after] = (*paths[state], (kinds[k], source, target))
            queue.append(after)
            if (misfit_after := misfit(after)) < least:
                best, least = after, misfit_after
    return list(paths[best])
