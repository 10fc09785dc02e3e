"""Rows of small stores for the tests of this folder, and what a store holds."""

import numpy as np

from riqa.data.store import Plan

PLAN = Plan(8)


def rows(n, aside=()):
    """Return what makes rows whose image k is filled with k; those in `aside` have a reason instead."""

    def rows_from(start):
        for k in range(start, n):
            image = np.full((8, 8, 3), k, np.uint8)
            yield (None, {"reason": "torn"}) if k in aside else (image, {"x": k / 7})

    return rows_from


def stopped(n, by=KeyboardInterrupt):
    """Return what makes `n` rows and is then interrupted."""

    def rows_from(start):
        yield from rows(n)(start)
        raise by

    return rows_from


def contents(root):
    """Return the bytes of every file of a folder."""
    return {path.name: path.read_bytes() for path in root.iterdir()}
