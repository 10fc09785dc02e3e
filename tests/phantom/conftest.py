from __future__ import annotations

import numpy as np
import pytest

from riqa.phantom.anatomy import draw_eye, draw_patient
from riqa.phantom.cameras import CAMERAS
from riqa.phantom.fundus import render_fundus


def make_fundus(seed=0, side="left", view="macula", camera="tabletop_b", size=128):
    patient = draw_patient(np.random.default_rng([seed, 0]))
    eye = draw_eye(patient, side, np.random.default_rng([seed, 1]))
    return render_fundus(eye, view, CAMERAS[camera], np.random.default_rng([seed, 2]), size)


@pytest.fixture(scope="session")
def fundus():
    return make_fundus()
