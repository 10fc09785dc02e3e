import pytest

from riqa.labels import DETAILS, class_names


def test_position_of_a_class_name_is_its_code_and_the_order_of_details_the_papers():
    assert class_names(3) == ("reject", "usable", "good")
    assert class_names(2) == ("bad", "good")
    assert DETAILS == ("illumination", "clarity", "contrast")
    with pytest.raises(ValueError, match="4"):
        class_names(4)
