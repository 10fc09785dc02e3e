import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from riqa.errors import InputError
from riqa.publish.parameters import (
    ELEMENTS,
    TYPES,
    Legal,
    Parameter,
    check_parameters,
    declared_parameters,
    fits,
    nearest,
    parse_assignment,
    parse_legal,
)

DECLARED = {
    "epochs": Parameter("epochs", "int", 3, "passes", parse_legal("at least 1", "int")),
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


def test_legal_values_stand_after_the_meaning_and_a_long_comment_goes_on_below(tmp_path):
    path = notebook_with(
        tmp_path,
        "a: int = 1  # count; at least 1\n"
        'b: list[str] = ["x"]  # names of sets;\n#   1 or more\n'
        "c: float = 0.5  # what this is, in many\n#   words; above 0,\n#   below 1",
    )
    told = {name: (p.meaning, p.legal.text) for name, p in declared_parameters(path).items()}
    assert told == {
        "a": ("count", "at least 1"),
        "b": ("names of sets", "1 or more"),
        "c": ("what this is, in many words", "above 0, below 1"),
    }


@pytest.mark.parametrize(
    ("text", "kind", "legal"),
    [
        ("", "int", Legal()),
        ("at least -1", "int", Legal("at least -1", bounds=(("at least", -1),))),
        ("above 0, at most 0.5", "float", Legal("", bounds=(("above", 0), ("at most", 0.5)))),
        ("one of a, b_2", "str", Legal("", choices=("a", "b_2"))),
        ("2 or more", "list[str]", Legal("", least=2)),
        ("1 or more, each below 3", "list[int]", Legal("", least=1, bounds=(("below", 3),))),
        ("each one of a, b", "list[str]", Legal("", choices=("a", "b"))),
    ],
)
def test_parse_legal(text, kind, legal):
    read = parse_legal(text, kind)
    assert read.text == text
    assert (read.least, read.choices, read.bounds) == (legal.least, legal.choices, legal.bounds)


@pytest.mark.parametrize("text", ["positive", "at least one", "above 0 below 1", "1 or more", "at least 1,"])
def test_what_says_nothing_about_legal_values_is_refused(text):
    with pytest.raises(ValueError, match="says nothing about legal values"):
        parse_legal(text, "int")


@pytest.mark.parametrize(
    ("legal", "kind", "good", "bad"),
    [
        ("at least 1", "int", [1, 7], [0, -3]),
        ("above 0, below 1", "float", [0.001, 0.5], [0.0, 1.0, 2.0]),
        ("at least 0, at most 180", "float", [0.0, 180.0], [-0.1, 181.0]),
        ("one of soft, hard", "str", ["soft"], ["foo", ""]),
        ("1 or more, each at least 0", "list[int]", [[0], [3, 1]], [[], [-1], [0, 0]]),
        ("each above 0", "list[float]", [[], [0.5]], [[0.0], [0.5, 0.5]]),
        ("", "float", [-1.0], [float("nan"), float("inf")]),
        ("", "list[float]", [[1.0]], [[float("-inf")]]),
    ],
)
def test_a_value_that_is_not_legal_is_refused_with_what_is(legal, kind, good, bad):
    declared = {"a": Parameter("a", kind, good[0], "x", parse_legal(legal, kind))}
    for value in good:
        assert check_parameters({"a": value}, declared, "05") == {"a": value}
    for value in bad:
        with pytest.raises(InputError) as refused:
            check_parameters({"a": value}, declared, "05")
        assert str(refused.value).startswith(f"05: a is {value!r}, must ")
        assert legal in str(refused.value) or "once" in str(refused.value)


def test_a_whole_number_may_be_written_with_an_exponent():
    declared = {
        "n": Parameter("n", "int", 1, "count"),
        "sizes": Parameter("sizes", "list[int]", [1], "counts"),
        "rates": Parameter("rates", "list[float]", [], "rates"),
    }
    checked = check_parameters({"n": 1e4, "sizes": [1e2, 3], "rates": [1, 0.5]}, declared, "05")
    assert checked == {"n": 10000, "sizes": [100, 3], "rates": [1.0, 0.5]}
    assert [type(v) for v in (checked["n"], *checked["sizes"], *checked["rates"])] == [int] * 3 + [float] * 2
    with pytest.raises(InputError, match=r"n must be int, but 1\.5 is float"):
        check_parameters({"n": 1.5}, declared, "05")
    with pytest.raises(InputError, match=r"must be finite"):
        check_parameters({"rates": [10**400]}, declared, "05")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("a = 1  # count", "is not 'name: type = default"),
        ("a: int  # count", "is not 'name: type = default"),
        ("a: int = 1", "does not say in a comment"),
        ("a: dict = {}  # map", "has type dict"),
        ("a: int = 1.5  # count", "is no int"),
        ("a: int = True  # count", "is no int"),
        ("a: int = 0  # count; at least 1", "the default 0, must be at least 1"),
        ("a: int = 1  # count; many", "'many' says nothing about legal values"),
        ('a: list[int] = ["x"]  # counts', r"is no list\[int\]"),
        ("a: list[bool] = []  # counts", r"has type list\[bool\]"),
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
        ([1], {"list", "list[int]", "list[float]"}),
        ([1.0], {"list", "list[float]"}),
        (["1"], {"list", "list[str]"}),
        ([True], {"list"}),
        (None, set()),
    ],
)
def test_fits(value, kinds):
    assert {kind for kind in (*TYPES, *ELEMENTS) if fits(value, kind)} == kinds


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
        ("a=", ""),
        ("a=no", "no"),
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
