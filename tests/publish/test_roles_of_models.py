"""A role may say which of the profile's overall sets a model was trained on, without the set's name."""

import pytest

from riqa.errors import InputError
from riqa.publish.roles import Numbers
from riqa.results import rows
from riqa.show import names

GAP = {"rival": "teacher", "metric": "auc"}
TABLE = names(
    rows({("multi_task@grades",): 0.25, ("multi_task@eyes",): 0.5}, ("model",), chapter="10", **GAP)
)


def test_the_place_of_the_set_stands_for_its_name():
    numbers = Numbers(TABLE, "10", {"overall_sets": ["grades", "eyes"]})
    asked = "{result}`model=multi_task@%s rival=teacher metric=auc :.2f`"
    assert [numbers.resolve(asked % place) for place in ("first", "second")] == ["0.25", "0.50"]
    with pytest.raises(InputError, match="third"):
        numbers.resolve(asked % "third")
