from dataclasses import replace

import pytest

from riqa.data.adapters import NAMES as ADAPTERS
from riqa.data.manifest import Dataset
from riqa.data.set_names import NAMES
from riqa.report.cards import CARDS, STANDS_FOR, cards_for_page, counts_beside_paper, counts_for_page
from tests.data.photographs import manifest


@pytest.fixture
def eyes(tmp_path):
    """Return 12 images of two classes, 4 a split, that play the part of DeepDRiD."""
    frame = manifest(12, overall=[0.0, 1.0] * 6, splits=("train", "val", "test"))
    return Dataset("phantom_eyes", tmp_path, frame, 2, "made here", "MIT")


def test_every_set_has_a_card_but_a_readers_own():
    assert set(CARDS) == set(NAMES) - {"table"}
    assert set(STANDS_FOR) == set(CARDS) - set(ADAPTERS)


def test_counts_stand_beside_those_of_the_set_that_is_played(eyes):
    table = counts_beside_paper({"phantom_eyes": eyes}).set_index(["split", "class"])
    # DeepDRiD has a published validation set, so that validation images are counted alone.
    assert table.loc[("val", "all"), ["here", "paper", "paper_set"]].tolist() == [4, 400, "DeepDRiD"]
    assert table.loc[("train", "bad"), ["here", "paper"]].tolist() == [2, 624]


def test_validation_images_are_counted_with_training_where_the_publisher_has_none(eyes):
    grades = replace(eyes, name="phantom_grades", n_classes=3)
    table = counts_beside_paper({"phantom_grades": grades}).set_index(["split", "class"])
    assert table.loc[("train", "all"), ["here", "paper"]].tolist() == [8, 12543]
    assert "val" not in table.index.get_level_values("split")


def test_a_readers_own_set_stands_for_itself(eyes):
    own = replace(eyes, name="clinic")
    assert counts_beside_paper({"table": own})["paper"].isna().all()
    page = cards_for_page({"table": own}, {"table": "overall quality"}).to_html()
    assert "clinic" in page
    assert "overall quality" in page


def test_pages_show_counts_of_both_sets(eyes):
    html = counts_for_page(counts_beside_paper({"phantom_eyes": eyes})).to_html()
    assert "DeepDRiD: 1,200" in html
    assert "phantom eyes, train" in html
