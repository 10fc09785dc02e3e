"""Profile `open`, from the archives that need no account to the last chapter, on a miniature of them."""

import pandas as pd
import pytest

from riqa.labels import DETAILS
from riqa.report.published import overall_quality
from tests.book.small import Small, build_small
from tests.data.archives import FIVES_IMAGES

pytestmark = pytest.mark.book


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Small:
    """Run every chapter of profile open."""

    def change(profile):
        profile["parameters"] |= {"backbone": "resnet10", "n_resamples": 300}
        for chapter, epochs in (
            ("02_train_teacher", 6),
            ("04_train_single_task", 3),
            ("05_train_multi_task", 3),
        ):
            profile["chapters"][chapter]["epochs"] = epochs

    return build_small(tmp_path_factory.mktemp("open"), "open", change)


def test_every_chapter_runs_to_its_end(small):
    small.assert_whole()
