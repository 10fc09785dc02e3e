import pytest

from riqa.labels import DETAILS, class_names


def test_position_of_a_class_name_is_its_code():
    assert class_names(3).index("reject") == 0
    assert class_names(3).index("good") == 2
    assert class_names(2) == ("bad", "good")


def test_other_numbers_of_classes_are_refused():
    with pytest.raises(ValueError, match="4"):
        class_names(4)


def test_order_of_details_is_the_papers():
    assert DETAILS == ("illumination", "clarity", "contrast")
