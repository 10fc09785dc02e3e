from pathlib import Path

import pytest

from riqa.errors import InputError
from riqa.publish.chapters import Chapter
from riqa.publish.plan import check_reads, plan
from tests.publish.toy import write_chapter, write_profile


def by_name(jobs):
    return {job.chapter.name: job for job in jobs}


def test_a_chapter_gets_what_it_declares_and_its_own_values_win(toy):
    write_profile(toy, "p", parameters={"n": 4, "scale": 3}, chapters={"01_make_data": {"n": 5}})
    jobs = by_name(plan(toy, "p"))
    assert jobs["01_make_data"].parameters == {
        "n": 5,
        "work": "_build/p/work",
        "out": "_build/p/work/01_make_data",
    }
    assert jobs["02_scale_data"].parameters["scale"] == 3.0
    assert "n" not in jobs["02_scale_data"].parameters


def test_inputs_are_the_notebook_and_what_it_needs(toy):
    job = by_name(plan(toy, "toy"))["04_sum_data"]
    names = [path.relative_to(toy).as_posix() for path in job.inputs]
    assert names == [
        "notebooks/04_sum_data.ipynb",
        "_build/toy/work/02_scale_data/artifacts.json",
        "_build/toy/work/03_shift_data/artifacts.json",
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"parameters": {"m": 1}}, "no chapter declares a parameter 'm'"),
        ({"chapters": {"01_make_date": {}}}, r"no chapter '01_make_date' \(did you mean 01_make_data"),
        ({"chapters": {"01_make_data": {"m": 1}}}, "01_make_data declares no parameter 'm'"),
        ({"parameters": {"n": 1.5}}, "n must be int"),
        (
            {"parameters": {"seeds": [0, 0]}},
            r"p\.yaml: 04_sum_data: seeds is \[0, 0\], must hold each value once",
        ),
        ({"parameters": {"scale": float("nan")}}, "scale is nan, must be finite"),
    ],
)
def test_a_value_that_no_chapter_can_use_is_refused(toy, content, complaint):
    write_profile(toy, "p", **content)
    with pytest.raises(InputError, match=complaint):
        plan(toy, "p")


READER = Chapter("06", Path("06.ipynb"), ("04", "05"), 1)
MADE = {
    "04": {"seeds": [0, 1, 2], "overall_sets": ["a", "b"], "epochs": 3},
    "05": {"seeds": [0, 1], "overall_sets": ["a"], "details_set": "d", "observer_set": "o"},
}


@pytest.mark.parametrize(
    "values",
    [
        {"seeds": [0, 1], "overall_sets": ["a"], "details_set": "d"},
        {"student_seed": 1, "raters_set": "d"},
        {"details_set": "a", "observer_set": "o", "epochs": 9, "seed": 7},
    ],
)
def test_a_chapter_may_read_what_those_that_it_stands_on_have(values):
    check_reads(READER, values, MADE, "06")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"seeds": [0, 7]}, r"^06: seeds is \[0, 7\], must be among those of 04: 0, 1, 2$"),
        ({"seeds": [2]}, r"^06: seeds is \[2\], must be among those of 05: 0, 1$"),
        ({"student_seed": 3}, r"^06: student_seed is 3, must be among those of 04: 0, 1, 2$"),
        ({"overall_sets": ["b"]}, r"^06: overall_sets is \['b'\], must be among those of 05: d, a, o$"),
        ({"raters_set": "x"}, r"^06: raters_set is 'x', must be among those of 05: d, a, o$"),
    ],
)
def test_seeds_and_sets_that_are_not_there_are_named(values, complaint):
    with pytest.raises(InputError, match=complaint):
        check_reads(READER, values, MADE, "06")


def test_a_profile_cannot_let_a_chapter_read_seeds_that_none_before_it_has(toy):
    code = "value = value + seeds[0]"
    write_chapter(toy, "02_scale_data", "seeds: list[int] = [0, 1]  # seeds", code, ["01_make_data"])
    plan(toy, "toy")
    write_profile(toy, "p", chapters={"04_sum_data": {"seeds": [0, 7]}})
    with pytest.raises(
        InputError, match=r"^profiles/p\.yaml: 04_sum_data: seeds is \[0, 7\], .* 02_scale_data: 0, 1$"
    ):
        plan(toy, "p")


def test_data_is_checked_before_anything_runs(toy, tmp_path):
    write_profile(toy, "real", data="the label files")
    empty = tmp_path / "empty"
    empty.mkdir()
    for data, complaint in [("", "needs DATA="), ("/nowhere", "does not exist"), (str(empty), "is empty")]:
        with pytest.raises(InputError, match=complaint) as refused:
            plan(toy, "real", data)
        assert "the label files" in str(refused.value)
    assert not (toy / "_build").exists()


def test_only_the_chapter_that_reads_the_data_watches_it(toy, tmp_path):
    parameters = 'data: str = ""  # photographs, folder'
    write_chapter(toy, "01_make_data", parameters, "value = 1", [])
    write_profile(toy, "real", data="the label files")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a").write_text("1")
    before = by_name(plan(toy, "real", str(folder)))
    (folder / "b").write_text("1")
    after = by_name(plan(toy, "real", str(folder)))
    assert before["01_make_data"].parameters["data"] == str(folder)
    assert before["01_make_data"].data_digest != after["01_make_data"].data_digest
    assert after["02_scale_data"].data_digest == ""
