import cv2
import numpy as np
import pandas as pd
import pytest

from riqa.data.manifest import COLUMNS, Dataset
from riqa.phantom.photograph import Exposure, render_clean
from riqa.phantom.study import phantom_details, phantom_grades, simulated_details


def photograph(number=0, side="left", view="macula", camera="tabletop_b", size=128, study="phantom_grades"):
    return render_clean(Exposure(study, 0, number, number, side, view, camera, size))


def read(dataset, table="truth"):
    return pd.read_parquet(dataset.root / f"{table}.parquet")


@pytest.fixture(scope="session")
def clean():
    return photograph()


@pytest.fixture(scope="session")
def details(tmp_path_factory):
    return phantom_details(tmp_path_factory.mktemp("set") / "x", n_train=30, n_test=10, seed=3, size=96)


@pytest.fixture(scope="session")
def grades(tmp_path_factory):
    return phantom_grades(tmp_path_factory.mktemp("set") / "x", n_train=60, n_test=40, seed=3, size=64)


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """Stands in for a real dataset: 12 photographs, 10 of them good, one of these no photograph at all."""
    root, rows = tmp_path_factory.mktemp("real"), []
    for k in range(12):
        image = photograph(k, camera="tabletop_e", size=160).image * (k != 3)
        cv2.imwrite(str(root / f"{k}.png"), image[..., ::-1])
        place, overall = ("left", "1", "?", ("train", "val", "test")[k % 3]), 2.0 if k < 10 else 0.0
        rows.append((f"{k}_left", f"{k}.png", "real", f"{k}", *place, overall, *[np.nan] * 3))
    return Dataset("real", root, pd.DataFrame(rows, columns=list(COLUMNS)), 3, "someone", "CC BY 4.0")


@pytest.fixture(scope="session")
def simulated(source, tmp_path_factory):
    return simulated_details(source, tmp_path_factory.mktemp("out") / "sim", seed=1, size=128)
