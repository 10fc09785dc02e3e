import cv2
import numpy as np
import pandas as pd
import pytest

from riqa.data.manifest import COLUMNS, Dataset
from riqa.phantom.eye import draw_eye, draw_patient
from riqa.phantom.fundus import CAMERAS, render_fundus
from riqa.phantom.study import phantom_grades, simulated_details


def make_fundus(seed=0, side="left", view="macula", camera="tabletop_b", size=128):
    eye = draw_eye(draw_patient(np.random.default_rng([seed, 0])), side, np.random.default_rng([seed, 1]))
    return render_fundus(eye, view, CAMERAS[camera], np.random.default_rng([seed, 2]), size)


@pytest.fixture(scope="session")
def fundus():
    return make_fundus()


def read(dataset, table="truth"):
    return pd.read_parquet(dataset.root / f"{table}.parquet")


@pytest.fixture(scope="session")
def grades(tmp_path_factory):
    return phantom_grades(tmp_path_factory.mktemp("set") / "x", n_train=100, n_test=50, seed=3, size=64)


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """Stands in for a real dataset: 12 photographs, 10 of them good, one of these no photograph at all."""
    root, rows = tmp_path_factory.mktemp("real"), []
    for k in range(12):
        image = make_fundus(seed=k, camera="tabletop_e", size=160).image * (k != 3)
        cv2.imwrite(str(root / f"{k}.png"), image[..., ::-1])
        split, overall = ("train", "val", "test")[k % 3], 2.0 if k < 10 else 0.0
        rows.append(
            (f"{k}_left", f"{k}.png", "real", f"{k}", "left", "1", "?", split, overall, *[np.nan] * 3)
        )
    return Dataset("real", root, pd.DataFrame(rows, columns=list(COLUMNS)), 3, "someone", "CC BY 4.0")


@pytest.fixture(scope="session")
def simulated(source, tmp_path_factory):
    return simulated_details(source, tmp_path_factory.mktemp("out") / "sim", draws=2, seed=1, size=128)
