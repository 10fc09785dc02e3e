"""A small curated phantom set."""

import pytest

from riqa.data.curate import curate
from riqa.labels import DETAILS
from riqa.phantom.study import phantom_grades
from riqa.studies.subjects import draw_located


@pytest.fixture(scope="package")
def photographs(tmp_path_factory):
    return tmp_path_factory.mktemp("explanations") / "photographs"


@pytest.fixture(scope="package")
def graded_store(photographs):
    dataset = phantom_grades(photographs, n_train=6, n_test=30, size=96)
    return curate(dataset, photographs.with_name("store"), 32)


@pytest.fixture(scope="package")
def located(photographs, graded_store):
    return draw_located(graded_store, [photographs], (*DETAILS, "artifact"), 4, 0.5, seed=0)
