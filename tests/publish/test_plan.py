"""What a build consists of: chapters, profiles, sets, and all that is refused before anything starts."""

import os
import re
from contextlib import nullcontext
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import riqa
from riqa.errors import InputError
from riqa.files import write_whole
from riqa.publish.chapters import Chapter, find_chapter, modules_used, read_chapters
from riqa.publish.layout import find_root
from riqa.publish.plan import check_reads, listing_digest, plan
from riqa.publish.profiles import check_sets
from tests.data.layouts import write_table
from tests.publish.toy import CHAPTERS, write_chapter, write_profile

PACKAGE = Path(riqa.__file__).parent


def test_chapters_stand_in_reading_order_and_a_wrong_list_is_refused(toy, monkeypatch):
    monkeypatch.chdir(toy / "book" / "_ext")
    assert find_root() == toy
    chapters = read_chapters(toy)
    assert list(chapters) == list(CHAPTERS)
    assert chapters["04_sum_data"].needs == ("02_scale_data", "03_shift_data")
    for entry, complaint in {
        "01_make_data: {needs: [02_scale_data], threads: 1}": "is not listed before it",
        "09_gone: {needs: [], threads: 1}": "does not exist",
    }.items():
        (toy / "notebooks" / "chapters.yaml").write_text(entry)
        with pytest.raises(InputError, match=complaint):
            read_chapters(toy)


def test_a_part_is_built_with_those_before_it_and_without_those_after(toy):
    listed = toy / "notebooks" / "chapters.yaml"
    listed.write_text(yaml.safe_dump(yaml.safe_load(listed.read_text()) | {
        "04_sum_data": {"needs": ["02_scale_data", "03_shift_data"], "threads": 1, "part": 2}}))  # fmt: skip
    first = [name for name in CHAPTERS if name != "04_sum_data"]
    assert list(read_chapters(toy, "1")) == [job.chapter.name for job in plan(toy, "toy", parts="1")] == first
    assert list(read_chapters(toy, "2")) == list(read_chapters(toy)) == list(CHAPTERS)
    with pytest.raises(InputError, match="parts is 'two'; write all"):
        read_chapters(toy, "two")


def test_real_photographs_leave_out_what_needs_phantoms(toy, tmp_path):
    listed, (first, second, third, fourth) = toy / "notebooks" / "chapters.yaml", CHAPTERS
    entries = yaml.safe_load(listed.read_text())
    for name in (third, fourth):  # the fourth needs the third
        entries[name] |= {"part": 2, "phantoms": True}
    listed.write_text(yaml.safe_dump(entries))
    assert list(read_chapters(toy, real=True)) == list(read_chapters(toy, "1")) == [first, second]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jpg").touch()
    write_profile(toy, "real", data="photographs", parameters={})
    assert [job.chapter.name for job in plan(toy, "real", str(tmp_path / "data"))] == [first, second]
    assert [job.chapter.name for job in plan(toy, "toy")] == list(CHAPTERS)


def test_a_chapter_is_found_by_name_number_or_beginning_and_the_nearest_is_named(toy):
    chapters = read_chapters(toy)
    for text in ("02_scale_data", "02", "2", "02_sc", "notebooks/02_scale_data.ipynb"):
        assert find_chapter(chapters, text).name == "02_scale_data"
    for text in ("07", "0", "", "02_scal_dta"):
        with pytest.raises(InputError, match="there are 01_make_data, 02_scale_data") as refused:
            find_chapter(chapters, text)
    assert "did you mean 02_scale_data" in str(refused.value)


@pytest.mark.parametrize(
    ("source", "used"),
    [
        ("%matplotlib inline\nimport json, riqa.labels", {"__init__", "labels"}),
        ("from riqa import __version__", {"__init__"}),
        ("import json", set()),
        ("from riqa.publish import layout as l",
         {"__init__", "errors", "names", "files", "publish/__init__", "publish/layout"}),
    ],
)  # fmt: skip
def test_modules_used_are_those_that_imports_of_code_reach_and_no_other_rooms(tmp_path, source, used):
    cells = [new_markdown_cell("import riqa.cli"), new_code_cell(source)]
    nbformat.write(new_notebook(cells=cells), tmp_path / "x.ipynb")
    assert set(modules_used(tmp_path / "x.ipynb")) == {PACKAGE / f"{name}.py" for name in used}


def test_a_chapter_depends_on_what_the_paper_prints_and_claims(tmp_path):
    nbformat.write(
        new_notebook(cells=[new_code_cell("from riqa.paper import numbers")]), tmp_path / "x.ipynb"
    )
    used = {path.name for path in modules_used(tmp_path / "x.ipynb")}
    assert (
        used >= {path.name for path in (PACKAGE / "paper").glob("*.[cy]*")} >= {"claims.yaml", "numbers.csv"}
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("parameter: {}", "unknown key 'parameter' (did you mean parameters?)"),
        ("a: [", "YAML"),
        ("3", "must map"),
        ("3: 4", "unknown key 3; legal are description"),
        ("parameters: [n]", "odd.yaml: parameters is ['n'], must map names to values"),
        ("chapters: {'05': 3}", "odd.yaml: chapters: 05 is 3, must map names to values"),
        ("parameters: {n: 1, n: 2}", "odd.yaml is not valid YAML: 'n' is given twice"),
        ("processes: 0", "odd.yaml: processes is 0, must be a whole number of at least 1"),
        ("processes: two", "odd.yaml: processes is 'two', must be a whole number"),
        ("parameters: {m: 1}", "no chapter declares a parameter 'm'"),
        ("chapters: {01_make_date: {}}", "no chapter '01_make_date' (did you mean 01_make_data"),
        ("chapters: {01_make_data: {m: 1}}", "01_make_data declares no parameter 'm'"),
        ("parameters: {scale: .nan}", "scale is nan, must be finite"),
        ("chapters: {04_sum_data: {seeds: [0, 7]}}",
         "profiles/odd.yaml: 04_sum_data: seeds is [0, 7], must be among those of 02_scale_data: 0, 1"),
    ],
)  # fmt: skip
def test_a_profile_that_no_chapter_can_use_is_refused_in_one_line(toy, text, complaint):
    write_chapter(
        toy, "02_scale_data", parameters="seeds: list[int] = [0, 1]  # seeds\nscale: float = 1.0  # factor"
    )
    plan(toy, "toy")
    (toy / "profiles" / "odd.yaml").write_text(text)
    with pytest.raises(InputError, match=re.escape(complaint)) as refused:
        plan(toy, "odd")
    assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match=r"no profile 'tpy' \(did you mean toy\?\); there are odd, toy"):
        plan(toy, "tpy")


REAL = "is made of real photographs; say in the profile"
BOTH = {"details_set": "clinic", "overall_sets": ["phantom_grades", "clinic"]}
DRAWN = {"details_set": "phantom_details", "observer_set": "phantom_details"}
OWNER = "profiles/p.yaml: 01_make_data"


@pytest.mark.parametrize(
    ("parameters", "has_data", "said"),
    [
        ({"details_set": "phantom_details", "seeds": [0], "n": 3}, False, None),
        ({"overall_sets": ["clinic_b", "clinic", "eyeq"], "raters_set": "table"}, True, None),
        *(({"details_set": name}, True, f"details_set: ;{name!r}")
          for name in ("my clinic", "klinik-nord", "dr.x", "köln", "../north", 2025, None)),
        ({"overall_sets": ["phantom_grades", "dr.x"]}, True, "overall_sets: ;'dr.x'"),
        ({"observer_set": "praxis"}, True, "observer_set: there is no set named 'praxis'"),
        ({"overall_sets": ["mshv"]}, True, "(did you mean mshf?)"),
        ({"overall_sets": ["phantom_grade"]}, False, "(did you mean phantom_grades?)"),
        *(({"details_set": name}, False, f"{name} {REAL}") for name in ("eyeq", "simulated_details", "table")),
        ({"overall_sets": ["clinic"]}, False, "in the DATA folder, once the profile says"),
        ({"overall_sets": ["clinic", "clinic"]}, True, "names clinic twice"),
        ({"overall_sets": ["clinic", "Clinic"]}, True, "names clinic twice"),
        (BOTH, True, "clinic is details_set and overall_sets at once;divide it into two"),
        (DRAWN, False, "phantom_details is details_set and observer_set at once"),
    ],
)  # fmt: skip
def test_sets_that_no_chapter_can_use_are_refused_in_one_line(tmp_path, parameters, has_data, said):
    for folder in ("", "Clinic", "clinic_b"):
        write_table(tmp_path / folder, n=1)
    check = lambda: check_sets(parameters, str(tmp_path) if has_data else "", OWNER)  # noqa: E731
    if said is None:
        check()
        return
    with pytest.raises(InputError, match=rf"^{OWNER}: ") as refused:
        check()
    assert all(part in str(refused.value) for part in said.split(";"))
    assert "\n" not in str(refused.value)


def test_data_and_sets_are_checked_before_anything_runs_and_watched_by_the_chapter_that_reads_them(
    toy, tmp_path
):
    declared = 'data: str = ""  # photographs, folder\noverall_sets: list = ["phantom_grades"]  # sets, names'
    write_chapter(toy, "01_make_data", parameters=declared)
    write_table(tmp_path / "data", n=1)
    (tmp_path / "empty").mkdir()
    write_profile(toy, "clinic", data="the labels", parameters={"overall_sets": ["clinic"]})
    digests = []
    for added in ("a", "b"):
        (tmp_path / "data" / added).touch()
        make, scale, *_ = plan(toy, "clinic", str(tmp_path / "data"))
        assert (make.parameters["data"], make.parameters["overall_sets"]) == (
            str(tmp_path / "data"),
            ["clinic"],
        )
        assert scale.data_digest == ""
        digests.append(make.data_digest)
    assert digests[0] != digests[1]
    for data, said in {
        "": "needs DATA=",
        "/nowhere": "does not exist",
        tmp_path / "empty": "is empty",
    }.items():
        with pytest.raises(InputError, match=rf"{said}.* the labels"):
            plan(toy, "clinic", str(data))
    write_profile(toy, "clinic", data="ours", parameters={"overall_sets": ["klinik nord"]})
    with pytest.raises(InputError, match=r"profiles/clinic.yaml: 01_make_data: overall_sets: 'klinik nord'"):
        plan(toy, "clinic", str(tmp_path / "data"))
    assert not (toy / "_build").exists()


def test_a_chapter_gets_what_it_declares_and_its_own_values_win(toy):
    write_profile(toy, "p", parameters={"n": 4, "scale": 3}, chapters={"01_make_data": {"n": 5}})
    make, scale, _, total = plan(toy, "p")
    assert make.parameters == {"n": 5, "work": "_build/p/work", "out": "_build/p/work/01_make_data"}
    assert repr(scale.parameters["scale"]) == "3.0"
    assert "n" not in scale.parameters
    needed = [f"_build/p/work/{name}/artifacts.json" for name in ("02_scale_data", "03_shift_data")]
    assert [str(path.relative_to(toy)) for path in total.inputs] == ["notebooks/04_sum_data.ipynb", *needed]


READER = Chapter("06", Path("06.ipynb"), ("04", "05"), 1)
MADE = {
    "04": {"seeds": [0, 1, 2], "overall_sets": ["a", "b"], "epochs": 3},
    "05": {"seeds": [0, 1], "overall_sets": ["a"], "details_set": "d", "observer_set": "o"},
}


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"seeds": [0, 1], "overall_sets": ["a"], "details_set": "d"}, None),
        ({"student_seed": 1, "raters_set": "d"}, None),
        ({"details_set": "a", "observer_set": "o", "epochs": 9, "seed": 7}, None),
        ({"seeds": [0, 7]}, "06: seeds is [0, 7], must be among those of 04: 0, 1, 2"),
        ({"seeds": [2]}, "06: seeds is [2], must be among those of 05: 0, 1"),
        ({"student_seed": 3}, "06: student_seed is 3, must be among those of 04: 0, 1, 2"),
        ({"overall_sets": ["b"]}, "06: overall_sets is ['b'], must be among those of 05: d, a, o"),
        ({"raters_set": "x"}, "06: raters_set is 'x', must be among those of 05: d, a, o"),
    ],
)
def test_a_chapter_may_read_what_those_that_it_stands_on_have_and_nothing_else(values, complaint):
    refused = pytest.raises(InputError, match=f"^{re.escape(complaint)}$") if complaint else nullcontext()
    with refused:
        check_reads(READER, values, MADE, "06")


CHANGES = {
    "size": lambda one: one.write_text("11") and os.utime(one, (1, 1)),
    "time": lambda one: os.utime(one, (2, 2)),
    "a new file": lambda one: (one.parent / "new").touch(),
    "a link that leads nowhere": lambda one: (one.parent / "nowhere").symlink_to("gone"),
    "a name that is no text": lambda one: (one.parent / os.fsdecode(b"\xff.jpg")).touch(),
    "a new file behind a link": lambda one: (one.parent / "linked" / "new").touch(),
    "name": lambda one: one.rename(one.with_name("two")),
}


def test_listing_digest_sees_every_change_and_reads_nothing(tmp_path):
    one, disk = tmp_path / "data" / "one", tmp_path / "disk"
    write_whole(one, "1")
    os.utime(one, (1, 1))
    disk.mkdir()
    (one.parent / "linked").symlink_to(disk)
    (disk / "round").symlink_to(disk)  # followed, but not round and round
    seen = {listing_digest(one.parent)}
    for number, (change, make) in enumerate(CHANGES.items(), start=2):
        make(one)
        seen |= {listing_digest(one.parent), listing_digest(one.parent)}
        assert len(seen) == number, change
