"""Pseudo-labels: the Teacher's answers on images that no expert has graded in detail (paper, Section 2.1)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from riqa.data.store import Store
from riqa.learn.device import resolve_device
from riqa.learn.model import load_model
from riqa.learn.predict import predict
from riqa.terminal import progress_bar


def pseudo_label(
    teachers: Mapping[int, Path],
    stores: Sequence[Store],
    splits: tuple[str, ...] | None = None,
    device: str = "cpu",
) -> pd.DataFrame:
    """Apply every Teacher to every image of the stores.

    Args:
        teachers: Model stem by seed; the Student of a seed learns from the Teacher of the same seed, so that
            the spread over seeds is that of the whole chain.
        stores: Curated sets at the Teacher's input size.
        splits: Splits to label; by default all that a store has.
        device: ``cpu``, ``cuda`` or ``auto``, see `riqa.learn.device`.

    Returns:
        Rows of `riqa.learn.predict.predict`, one per image and Teacher.
    """
    frames = []
    for seed, stem in progress_bar(teachers.items(), desc="Teachers", unit="model"):
        teacher, description = load_model(stem)
        teacher.to(resolve_device(device))
        names = {"model": "teacher", "trained_on": description["trained_on"], "seed": seed}
        for store in stores:
            present = [name for name in ("train", "val", "test") if (store.manifest["split"] == name).any()]
            frames.append(predict(teacher, store, splits or tuple(present), **names))
    return pd.concat(frames, ignore_index=True)
