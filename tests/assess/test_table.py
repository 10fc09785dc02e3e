"""The table and the counts that `riqa assess` prints."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from riqa.assess.answers import NO_FUNDUS, Answer
from riqa.cli_assess import answers_table, summary

BAD = Answer(
    Path("clinic/a/1.jpg"), {"reject": 0.9, "usable": 0.08, "good": 0.02},
    {"illumination": 0.91, "clarity": 0.04, "contrast": 0.5}, ["out of focus: refocus and retake"],
)  # fmt: skip
GOOD = Answer(Path("clinic/b/[2].jpg"), {"reject": 0.1, "usable": 0.2, "good": 0.7}, {}, ["no retake needed"])
NONE = Answer(Path("clinic/b/3.jpg"), {}, {}, ["look"], NO_FUNDUS)
DETAIL = Answer(Path("1.jpg"), {}, {"clarity": 0.7}, ["no retake needed"])  # a model without an overall head


def table(*answers, width=120):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(answers_table(answers))
    lines = capture.get().splitlines()
    assert max(map(len, lines)) <= width
    return [" ".join(line.split()) for line in lines]


def test_a_row_a_photograph_and_every_sentence_once_in_full():
    told = table(BAD, GOOD, NONE, BAD)
    assert told[:5] == [
        "clinic",
        "photograph overall illumination clarity contrast advice",
        "a/1.jpg reject 0.90 0.91 0.04 bad 0.50 out of focus",
        "b/[2].jpg good 0.70 - - - no retake needed",
        "b/3.jpg - - - - no fundus",
    ]
    assert {"out of focus: refocus and retake (2)", f"{NO_FUNDUS}; look (1)"} <= {*told}
    warned = table(*(replace(answer, warning="phantom model: beware") for answer in (BAD, GOOD, NONE)))
    assert warned.count("phantom model") == 3
    assert "phantom model: beware (3)" in warned
    assert table(DETAIL)[:2] == ["photograph clarity advice", "1.jpg 0.70 no retake needed"]


def test_paths_from_here_and_from_the_root_go_together(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = table(DETAIL, replace(DETAIL, path=tmp_path / "a" / "2.jpg"), width=200)
    assert [line.split()[0] for line in told[2:4]] == ["1.jpg", "a/2.jpg"]
    assert table(DETAIL, replace(DETAIL, path=Path("../2.jpg")))[2].startswith("../2.jpg")


@pytest.mark.parametrize(
    ("path", "folder", "name"),
    [
        ("photos[red]/[bold]a:eye:[dim].jpg", "photos[red]", "[bold]a:eye:[dim].jpg"),
        (os.fsdecode(b"M\xfcller\n\x1b[31m/a\rb.jpg"), "M\ufffdller\ufffd\ufffd[31m", "a\ufffdb.jpg"),
    ],
)
def test_names_are_no_markup_and_break_no_line(path, folder, name):
    told = table(replace(DETAIL, path=Path(path)))
    assert (told[0], told[2].split()[0]) == (folder, name)


def test_it_fits_a_narrow_terminal():
    assert "0.04 bad" in table(BAD, GOOD, NONE, width=80)[2]


def test_the_summary_counts_everything():
    assert summary([BAD, GOOD, NONE, BAD], 1) == (
        "4 photographs: 1 good, 2 reject, 1 without answer; 1 could not be read"
    )
    warned = [replace(GOOD, warning="phantom model: beware")]
    assert summary(warned, 0, "2 hidden") == "1 photograph: 1 good; passed over: 2 hidden; phantom model"
    assert summary([DETAIL], 0) == "1 photograph: 1 judged by details"
