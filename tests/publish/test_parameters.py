import re

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from riqa.errors import InputError
from riqa.publish import parameters
from riqa.publish.parameters import Legal, Parameter, check_parameters, declared_parameters, parse_legal


def declared_by(tmp_path, *sources):
    cells = [new_code_cell(source, metadata={"tags": ["parameters"]}) for source in sources]
    nbformat.write(new_notebook(cells=[*cells, new_code_cell("1")]), tmp_path / "x.ipynb")
    return declared_parameters(tmp_path / "x.ipynb")


def check(value, kind, legal=""):
    return check_parameters(
        {"a": value}, {"a": Parameter("a", kind, None, "x", parse_legal(legal, kind))}, "05"
    )["a"]


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
        (['a: list[int] = ["x"]  # counts'], "is no list[int]"),
        (["a: list[bool] = []  # counts"], "has type list[bool]"),
    ],
)
def test_a_cell_of_another_form_is_refused(tmp_path, lines, complaint):
    with pytest.raises(InputError, match=re.escape(complaint)):
        declared_by(tmp_path, *lines)


@pytest.mark.parametrize(
    ("text", "kind", "legal"),
    [
        ("", "int", {}),
        ("at least -1", "int", {"bounds": (("at least", -1),)}),
        ("above 0, at most 0.5", "float", {"bounds": (("above", 0), ("at most", 0.5))}),
        ("one of a, b_2", "str", {"choices": ("a", "b_2")}),
        ("2 or more", "list[str]", {"least": 2}),
        ("1 or more, each below 3", "list[int]", {"least": 1, "bounds": (("below", 3),)}),
        ("each one of a, b", "list[str]", {"choices": ("a", "b")}),
        *((text, "int", None) for text in ("positive", "at least one", "above 0 below 1", "1 or more", "at least 1,")),
    ],
)  # fmt: skip
def test_what_is_legal_is_said_in_words_and_what_says_nothing_is_refused(text, kind, legal):
    if legal is None:
        with pytest.raises(ValueError, match="nothing about legal values"):
            parse_legal(text, kind)
    else:
        assert parse_legal(text, kind) == Legal(text, **legal)


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
    assert [check(value, kind, legal) for value in good] == good
    for value in bad:
        with pytest.raises(InputError) as refused:
            check(value, kind, legal)
        assert str(refused.value).startswith(f"05: a is {value!r}, must ")
        assert legal in str(refused.value) or "once" in str(refused.value)


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
    for kind in kinds:
        assert check(value, kind) == value
    for kind in set(parameters.TYPES) - kinds:
        told = f"05: a must be {kind}, but {value!r} is {type(value).__name__}"
        with pytest.raises(InputError, match=f"^{re.escape(told)}$"):
            check(value, kind)


def test_a_number_takes_the_declared_type_where_nothing_is_lost():
    given = {"int": 1e4, "float": 1, "list[int]": [1e2, 3], "list[float]": [1, 0.5]}
    taken = [check(value, kind) for kind, value in given.items()]
    assert repr(taken) == "[10000, 1.0, [100, 3], [1.0, 0.5]]"
    with pytest.raises(InputError, match=r"must be finite"):
        check([10**400], "list[float]")


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("[0, 1]", [0, 1]), ("true", True), ("x=y", "x=y"), ("1e-3", 0.001), ("", ""), ("no", "no")],
)  # fmt: skip
def test_a_value_is_read_as_yaml(text, value):
    assert parameters.parse_assignment(f"a={text}") == ("a", value)


@given(st.lists(st.integers() | st.booleans(), max_size=4))
def test_an_assignment_reads_what_python_prints(values):
    assert parameters.parse_assignment(f"a={values}") == ("a", values)


@pytest.mark.parametrize("text", ["a", "=1", "a=[1"])
def test_what_is_no_assignment_is_refused(text):
    with pytest.raises(InputError, match=r"^-p "):
        parameters.parse_assignment(text)
