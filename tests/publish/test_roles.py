from dataclasses import replace

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from riqa.errors import InputError
from riqa.evaluate.interval import Interval
from riqa.publish.roles import Numbers, read_numbers, resolve_cells
from riqa.results import rows, write

GOOD = "{result}`%sdataset=%s metric=f1 group=good%s`"
LEAD = "{result}`dataset=%s model=%s rival=%s metric=f1%s`"


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    folder, known = tmp_path_factory.mktemp("work"), {"n": 10, "confidence": 0.9}
    for chapter, shift in (("06_a", 0.0), ("07_b", 0.1)):
        lead = {"dataset": "ant", "rival": "b", **known}
        tables = [rows({("f1", "good"): Interval(0.5 + shift, 0.4, 0.6)}, dataset="zebra", **known)]
        tables += [rows({("f1", "all"): Interval(-0.2, -0.3, -0.1)}, model="a", **lead)]
        tables += [rows({("f1", "all"): Interval(0.25, 0, 1)}, model="a@ant", **lead)]
        write(folder / chapter, tables, chapter=chapter)
    table = read_numbers([folder / "06_a", folder / "07_b", folder / "without_results"])
    parameters = {"margin": 0.01, "seeds": [0, 1], "baseline": "b", "overall_sets": ["zebra", "ant"]}
    return Numbers(table, "06_a", parameters)


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("F1 " + GOOD % ("", "zebra", "") + ".", "F1 0.500."),
        (GOOD % ("", "first", " :{low:.1f} to {high:.1f}"), "0.4 to 0.6"),
        (GOOD % ("chapter=07_b ", "zebra", " :.2f"), "0.60"),
        (LEAD % ("second", "a", "b", ""), "−0.200"),
        (LEAD % ("second", "a", "b", " :say"),
         "A is worse than b by 0.200 in F1 (90\N{NO-BREAK SPACE}% interval −0.300 to −0.100)."),
        (LEAD % ("ant", "a", "{parameter}`baseline`", ""), "−0.200"),
        (LEAD % ("ant", "a@second", "b", " :.2f"), "0.25"),
        ("{parameter}`margin:g`, {parameter}`margin:.0%`, {parameter}`seeds`", "0.01, 1\N{NO-BREAK SPACE}%, [0, 1]"),
        ("no role: `result`", "no role: `result`"),
    ],
)  # fmt: skip
def test_roles_are_resolved(numbers, text, resolved):
    assert numbers.resolve(text) == resolved


def test_a_number_shows_its_source_under_the_pointer(numbers):
    text = numbers.resolve(GOOD % ("", "zebra", ""), hover=True)
    assert text.startswith('<span title="')
    assert "10 images; chapter 06_a" in text
    assert text.endswith(">0.500</span>")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{result}`dataset=zebra metric=f1`", "06_a: the page quotes 'dataset=zebra metric=f1', but 0 rows"),
        (GOOD % ("", "third", ""), "0 rows"),
        (LEAD % ("ant", "a@third", "b", ""), "third"),
        ("{parameter}`n`", "06_a: the page quotes 'n', which is none of its parameters"),
    ],
)
def test_a_number_that_does_not_exist_stops_the_build(numbers, text, said):
    with pytest.raises(InputError, match=said):
        numbers.resolve(text)


def test_prose_captions_and_alternative_texts_are_resolved_and_code_is_not(numbers):
    role = "{parameter}`margin`"
    look = {"figure": {"caption": role, "name": "fig-a"}, "image": {"alt": role}}
    cells = [new_markdown_cell(role), new_code_cell(f"# {role}", metadata={"mystnb": look})]
    resolve_cells(cells, numbers)
    assert [cell.source for cell in cells] == ["0.01", f"# {role}"]
    resolved = {"figure": {"caption": "0.01", "name": "fig-a"}, "image": {"alt": "0.01"}}
    assert cells[1].metadata["mystnb"] == resolved


def test_a_page_says_which_chapter_its_number_would_be_from_where_the_build_leaves_it_out(numbers):
    page = replace(numbers, left_out={"14_c": "Relate"})
    assert (
        page.resolve(GOOD % ("chapter=14_c ", "first", " :say")) == "(chapter 14 is not part of this build)"
    )
    assert page.resolve(GOOD % ("chapter=07_b ", "zebra", "")) == "0.600"
    with pytest.raises(InputError, match="0 rows"):
        page.resolve(GOOD % ("chapter=14_d ", "zebra", ""))
    links = "[](14_c.ipynb), [the third](../notebooks/14_c.ipynb), [](14_d.ipynb), [more](14_c.md)"
    assert page.resolve(links) == "Relate, the third, [](14_d.ipynb), [more](14_c.md)"
