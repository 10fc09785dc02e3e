import mmap
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.train_memory import random_dataset, random_images, resident_beyond
from riqa.data.manifest import validate_manifest
from riqa.data.store import Plan, write_store


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="Linux says it in /proc")
def test_memory_counts_arrays_but_no_pages_of_the_mapped_file(tmp_path):
    megabytes = 256  # far more than a process with other tests in it gives back or takes meanwhile
    np.save(tmp_path / "images.npy", np.zeros(megabytes * 10**6, np.uint8))
    before = resident_beyond(os.getpid(), "images.npy")
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert mapped.sum() == 0  # every page has been touched
    assert abs(resident_beyond(os.getpid(), "images.npy") - before) < megabytes / 4
    assert resident_beyond(os.getpid(), "labels.npy") - before > 0.9 * megabytes
    # A mapping of its own: what malloc gives may have been resident before, freed by an earlier test.
    array = np.frombuffer(mmap.mmap(-1, megabytes * 10**6), np.uint8)
    array[:] = 1
    assert resident_beyond(os.getpid(), "images.npy") - before > 0.9 * megabytes


def test_a_random_store_holds_what_was_asked_for_spread_over_all_of_it(tmp_path):
    frame = validate_manifest(random_dataset(1000, 90, 10).manifest, 3)
    assert frame["split"].value_counts().to_dict() == {"test": 900, "train": 90, "val": 10}
    for split, widest in (("train", 25), ("val", 120)):
        assert np.diff([0, *np.flatnonzero(frame["split"] == split), 999]).max() <= widest
    dataset = random_dataset(12, 4, 2)
    store = write_store(dataset, tmp_path / "store", Plan(32), lambda start: random_images(12 - start, 32))
    assert store.images.shape == (12, 32, 32, 3)
    assert 120 < store.images.mean() < 135
    assert sys.getsizeof(store.images) < store.images.nbytes / 10  # mapped
