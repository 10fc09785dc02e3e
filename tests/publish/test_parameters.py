import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from riqa.errors import InputError
from riqa.publish.parameters import (
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

KINDS = {"epochs": "int", "rate": "float", "seeds": "list", "hard": "bool", "backbone": "str"}
DECLARED = {name: Parameter(name, kind, None, "x") for name, kind in KINDS.items()}


def declared_by(tmp_path, *sources):
    cells = [new_code_cell(source, metadata={"tags": ["parameters"]}) for source in sources]
    nbformat.write(new_notebook(cells=[*cells, new_code_cell("1")]), tmp_path / "x.ipynb")
    return declared_parameters(tmp_path / "x.ipynb")


def test_declared_parameters_in_the_order_of_the_cell_with_long_comments(tmp_path):
    found = declared_by(
        tmp_path,
        'b: float = -1.5  # a weight, factor\na: list = ["x"]  # names # of sets\n'
        'c: list[str] = ["x"]  # names of sets;\n#   1 or more\n'
        "d: float = 0.5  # what this is, in many\n#   words; above 0,\n#   below 1",
    )
    assert list(found.values()) == [
        Parameter("b", "float", -1.5, "a weight, factor"),
        Parameter("a", "list", ["x"], "names # of sets"),
        Parameter("c", "list[str]", ["x"], "names of sets", Legal("1 or more", least=1)),
        Parameter("d", "float", 0.5, "what this is, in many words", parse_legal("above 0, below 1", "float")),
    ]


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ([], "exactly one"),
        (["a: int = 1  # x", "b: int = 1  # x"], "exactly one"),
        (["a = 1  # count"], "line 1 of the parameters cell is not 'name: type = default"),
        (["a: int  # count"], "is not 'name: type = default"),
        (["a: int = 1"], "does not say in a comment"),
        (["a: dict = {}  # map"], "has type dict"),
        (["a: int = 1.5  # count"], "is no int"),
        (["a: int = True  # count"], "is no int"),
        (["a: int = 0  # count; at least 1"], "the default 0, must be at least 1"),
        (["a: int = 1  # count; many"], "'many', which is nothing about legal values"),
        (['a: list[int] = ["x"]  # counts'], r"is no list\[int\]"),
        (["a: list[bool] = []  # counts"], r"has type list\[bool\]"),
    ],
)
def test_a_cell_of_another_form_is_refused(tmp_path, lines, complaint):
    with pytest.raises(InputError, match=complaint):
        declared_by(tmp_path, *lines)


@pytest.mark.parametrize(
    ("text", "kind", "least", "choices", "bounds"),
    [
        ("", "int", 0, (), ()),
        ("at least -1", "int", 0, (), (("at least", -1),)),
        ("above 0, at most 0.5", "float", 0, (), (("above", 0), ("at most", 0.5))),
        ("one of a, b_2", "str", 0, ("a", "b_2"), ()),
        ("2 or more", "list[str]", 2, (), ()),
        ("1 or more, each below 3", "list[int]", 1, (), (("below", 3),)),
        ("each one of a, b", "list[str]", 0, ("a", "b"), ()),
    ],
)
def test_parse_legal(text, kind, least, choices, bounds):
    assert parse_legal(text, kind) == Legal(text, least, choices, bounds)


@pytest.mark.parametrize("text", ["positive", "at least one", "above 0 below 1", "1 or more", "at least 1,"])
def test_what_says_nothing_about_legal_values_is_refused(text):
    with pytest.raises(ValueError, match="nothing about legal values"):
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


def test_a_number_takes_the_declared_type_where_nothing_is_lost():
    kinds = {"n": "int", "rate": "float", "sizes": "list[int]", "rates": "list[float]"}
    declared = {name: Parameter(name, kind, None, "x") for name, kind in kinds.items()}
    checked = check_parameters({"n": 1e4, "rate": 1, "sizes": [1e2, 3], "rates": [1, 0.5]}, declared, "05")
    assert repr(checked) == "{'n': 10000, 'rate': 1.0, 'sizes': [100, 3], 'rates': [1.0, 0.5]}"
    with pytest.raises(InputError, match=r"n must be int, but 1\.5 is float"):
        check_parameters({"n": 1.5}, declared, "05")
    with pytest.raises(InputError, match=r"must be finite"):
        check_parameters({"rates": [10**400]}, declared, "05")


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        (1, {"int", "float"}),
        (1.5, {"float"}),
        (True, {"bool"}),
        ("1", {"str"}),
        ([1], {"list", "list[int]", "list[float]"}),
        ([1.5], {"list", "list[float]"}),
        (["1"], {"list", "list[str]"}),
        ([True], {"list"}),
        (None, set()),
    ],
)
def test_only_values_of_the_declared_type_fit(value, kinds):
    assert {kind for kind in TYPES if fits(value, kind)} == kinds
    for kind in set(TYPES) - kinds:
        with pytest.raises(InputError, match=r"^05: a must be"):
            check_parameters({"a": value}, {"a": Parameter("a", kind, None, "x")}, "05")


def test_an_undeclared_parameter_is_refused_with_the_nearest_and_all_declared():
    with pytest.raises(InputError) as refused:
        check_parameters({"epoch": 1}, DECLARED, "05_train")
    message = str(refused.value)
    assert message.startswith("05_train declares no parameter 'epoch' (did you mean epochs?)")
    assert message.endswith("epochs, rate, seeds, hard, backbone")
    assert nearest("zzz", DECLARED) == ""


def test_a_value_is_read_as_yaml_and_what_is_none_is_refused():
    values = {
        "3": 3,
        "0.5": 0.5,
        "[0, 1]": [0, 1],
        "true": True,
        "x=y": "x=y",
        "1e-3": 0.001,
        "": "",
        "no": "no",
    }
    assert {text: parse_assignment(f"a={text}") for text in values} == {
        t: ("a", v) for t, v in values.items()
    }
    for text in ("a", "=1", "a=[1"):
        with pytest.raises(InputError):
            parse_assignment(text)


@given(st.lists(st.integers() | st.booleans(), max_size=4))
def test_parse_assignment_reads_what_python_prints(values):
    assert parse_assignment(f"a={values}") == ("a", values)
