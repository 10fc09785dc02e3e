import os
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from riqa.assess.answers import NO_FUNDUS, Answer
from riqa.assess.photographs import Unreadable
from riqa.assess.table import answers_table, summary

BAD = Answer(
    Path("clinic/a/1.jpg"),
    {"reject": 0.9, "usable": 0.08, "good": 0.02},
    {"illumination": 0.91, "clarity": 0.04, "contrast": 0.5},
    ["out of focus: refocus and retake"],
)
GOOD = Answer(Path("clinic/b/[2].jpg"), {"reject": 0.1, "usable": 0.2, "good": 0.7}, {}, ["no retake needed"])
NONE = Answer(Path("clinic/b/3.jpg"), {}, {}, ["look"], NO_FUNDUS)


def lines(answers, width=120):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(answers_table(answers))
    return [line.split() for line in capture.get().splitlines()]


def test_a_row_a_photograph_and_every_sentence_once_in_full():
    told = lines([BAD, GOOD, NONE, BAD])
    assert told[0] == ["clinic"]
    assert told[1] == ["photograph", "overall", "illumination", "clarity", "contrast", "advice"]
    assert told[2] == ["a/1.jpg", "reject", "0.90", "0.91", "0.04", "bad", "0.50", "out", "of", "focus"]
    assert told[3] == ["b/[2].jpg", "good", "0.70", "-", "-", "-", "no", "retake", "needed"]
    assert told[4] == ["b/3.jpg", "-", "-", "-", "-", "no", "fundus"]
    assert ["out", "of", "focus:", "refocus", "and", "retake", "(2)"] in told
    assert f"{NO_FUNDUS}; look (1)".split() in told


def test_a_warning_stands_in_every_row_once_in_full_and_in_the_summary():
    warned = [replace(answer, warning="phantom model: believe nothing") for answer in (BAD, GOOD, NONE)]
    told = [" ".join(line) for line in lines(warned)]
    assert told.count("phantom model") == 3
    assert "phantom model: believe nothing (3)" in told
    assert summary(warned, [], "2 hidden").endswith("1 without answer; passed over: 2 hidden; phantom model")


def test_a_model_without_an_overall_head_has_no_such_column():
    told = lines([Answer(Path("1.jpg"), {}, {"clarity": 0.7}, ["no retake needed"])])
    assert ["photograph", "clarity", "advice"] in told
    assert ["1.jpg", "0.70", "no", "retake", "needed"] in told


def test_paths_from_here_and_from_the_root_go_together(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answers = [replace(GOOD, path=path) for path in (Path("1.jpg"), tmp_path / "a" / "2.jpg")]
    told = lines(answers, width=200)
    assert [row[0] for row in told if row and row[0].endswith(".jpg")] == ["1.jpg", "a/2.jpg"]
    assert (
        lines([replace(GOOD, path=Path("1.jpg")), replace(GOOD, path=Path("../2.jpg"))])[2][0] == "../2.jpg"
    )


def test_it_fits_a_narrow_terminal():
    console = Console(width=80)
    with console.capture() as capture:
        console.print(answers_table([BAD, GOOD, NONE]))
    assert max(map(len, capture.get().splitlines())) <= 80
    assert "0.04 bad" in capture.get()


def test_the_summary_counts_everything():
    unreadable = [Unreadable(Path("x"), "why")]
    assert summary([BAD, GOOD, NONE, BAD], unreadable) == (
        "4 photographs: 1 good, 2 reject, 1 without answer; 1 could not be read"
    )
    assert summary([GOOD], [], "2 hidden") == "1 photograph: 1 good; passed over: 2 hidden"
    details = Answer(Path("x"), {}, {"clarity": 0.7}, ["no retake needed"])
    assert summary([details], []) == "1 photograph: 1 judged by details"


def test_names_are_no_markup():
    told = lines(
        [Answer(Path("photos[red]/[bold]a:eye:[dim].jpg"), {}, {"clarity": 0.7}, ["no retake needed"])]
    )
    assert told[0] == ["photos[red]"]
    assert told[2][0] == "[bold]a:eye:[dim].jpg"


def test_names_break_no_line():
    path = Path(os.fsdecode(b"M\xfcller\n\x1b[31m/a\rb.jpg"))
    told = lines([Answer(path, {}, {"clarity": 0.7}, ["no retake needed"])])
    assert told[0] == ["M\ufffdller\ufffd\ufffd[31m"]
    assert told[2][0] == "a\ufffdb.jpg"
