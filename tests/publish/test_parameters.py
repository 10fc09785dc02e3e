import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from riqa.errors import InputError
from riqa.publish.parameters import (
    Parameter,
    check_parameters,
    declared_parameters,
    fits,
    nearest,
    parse_assignment,
)

DECLARED = {
    "epochs": Parameter("epochs", "int", 3, "passes"),
    "rate": Parameter("rate", "float", 0.1, "step"),
    "seeds": Parameter("seeds", "list", [0], "seeds"),
    "hard": Parameter("hard", "bool", False, "rounded"),
    "backbone": Parameter("backbone", "str", "resnet10", "network"),
}


def notebook_with(tmp_path, *sources):
    cells = [new_code_cell(source, metadata={"tags": ["parameters"]}) for source in sources]
    path = tmp_path / "x.ipynb"
    nbformat.write(new_notebook(cells=[*cells, new_code_cell("1")]), path)
    return path


def test_declared_parameters_in_the_order_of_the_cell(tmp_path):
    path = notebook_with(tmp_path, 'b: float = -1.5  # a weight, factor\na: list = ["x"]  # names # of sets')
    assert list(declared_parameters(path).values()) == [
        Parameter("b", "float", -1.5, "a weight, factor"),
        Parameter("a", "list", ["x"], "names # of sets"),
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a = 1  # count", "is not 'name: type = default"),
        ("a: int  # count", "is not 'name: type = default"),
        ("a: int = 1", "does not say in a comment"),
        ("a: dict = {}  # map", "has type dict"),
        ("a: int = 1.5  # count", "is no int"),
        ("a: int = True  # count", "is no int"),
    ],
)
def test_a_line_of_another_form_is_refused(tmp_path, line, complaint):
    with pytest.raises(InputError, match=complaint):
        declared_parameters(notebook_with(tmp_path, line))


@pytest.mark.parametrize("sources", [(), ("a: int = 1  # x", "b: int = 1  # x")])
def test_exactly_one_cell_is_tagged(tmp_path, sources):
    with pytest.raises(InputError, match="exactly one"):
        declared_parameters(notebook_with(tmp_path, *sources))


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        (1, {"int", "float"}),
        (1.0, {"float"}),
        (True, {"bool"}),
        ("1", {"str"}),
        ([1], {"list"}),
        (None, set()),
    ],
)
def test_fits(value, kinds):
    assert {kind for kind in ("int", "float", "str", "bool", "list") if fits(value, kind)} == kinds


def test_check_parameters_makes_an_int_a_float_where_one_is_declared():
    checked = check_parameters({"rate": 1, "epochs": 2}, DECLARED, "05")
    assert checked == {"rate": 1.0, "epochs": 2}
    assert isinstance(checked["rate"], float)
    assert isinstance(checked["epochs"], int)


def test_an_undeclared_parameter_is_refused_with_the_nearest_and_all_declared():
    with pytest.raises(InputError) as refused:
        check_parameters({"epoch": 1}, DECLARED, "05_train")
    message = str(refused.value)
    assert message.startswith("05_train declares no parameter 'epoch' (did you mean epochs?)")
    assert message.endswith("epochs, rate, seeds, hard, backbone")


@pytest.mark.parametrize(
    "given", [{"epochs": 1.5}, {"epochs": True}, {"seeds": 3}, {"hard": 1}, {"backbone": None}]
)
def test_a_value_of_another_type_is_refused(given):
    with pytest.raises(InputError, match=f"{next(iter(given))} must be"):
        check_parameters(given, DECLARED, "05")


def test_nearest_says_nothing_when_nothing_is_near():
    assert nearest("zzz", DECLARED) == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=3", 3),
        ("a=0.5", 0.5),
        ("a=[0, 1]", [0, 1]),
        ("a=true", True),
        ("a=x=y", "x=y"),
        ("a=1e-3", 0.001),
    ],
)
def test_parse_assignment(text, value):
    assert parse_assignment(text) == ("a", value)


@given(st.lists(st.integers() | st.booleans(), max_size=4))
def test_parse_assignment_reads_what_python_prints(values):
    assert parse_assignment(f"a={values}") == ("a", values)


@pytest.mark.parametrize("text", ["a", "=1", "a=[1"])
def test_parse_assignment_refuses_what_is_none(text):
    with pytest.raises(InputError):
        parse_assignment(text)
