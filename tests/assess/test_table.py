"""The advice, and the table and the counts that `riqa assess` prints."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from riqa.assess.advice import NO_RETAKE, REMEDIES, advice
from riqa.assess.answers import NO_FUNDUS, Answer
from riqa.cli_assess import answers_table, summary
from riqa.labels import DETAILS

FINE = dict.fromkeys(DETAILS, 0.9)
USABLE = f"{NO_RETAKE}: usable though not good, so another try may help"
LOOK = "look for what the heat map marks, and retake"


@pytest.mark.parametrize(
    ("p_good", "overall", "likely", "told"),
    [
        *(({**FINE, detail: 0.1}, "reject", None, [REMEDIES[detail]]) for detail in DETAILS),
        ({"illumination": 0.4, "clarity": 0.9, "contrast": 0.2}, "bad", None,
         [REMEDIES["contrast"], REMEDIES["illumination"]]),  # the worst comes first
        ({"clarity": 0.4999}, None, None, ["out of focus: refocus and retake"]),
        ({"clarity": 0.5}, None, None, [NO_RETAKE]),  # bad below the threshold, and not at it
        (FINE, None, None, [NO_RETAKE]),
        (FINE, "good", None, [NO_RETAKE]),
        (FINE, "usable", None, [USABLE]),
        (FINE, "usable", "clarity", [USABLE]),
        # Without a bad detail no reason is invented; the likeliest one is told as no more than that.
        (FINE, "reject", None, [f"reject, though no detail is bad: {LOOK}"]),
        ({}, "bad", None, [f"bad, and this model judges no details: {LOOK}"]),
        (FINE, "bad", "clarity",
         ["most likely out of focus: refocus and retake",
          "bad, though no detail is bad: the likeliest reason is no finding"]),
        ({**FINE, "contrast": 0.1}, "reject", "clarity", [REMEDIES["contrast"]]),
        # A bad detail of an acceptable photograph is named with that reservation.
        *(({**FINE, "contrast": 0.3}, fine, None,
           [REMEDIES["contrast"], f"{fine} all the same: retake only if there is time"])
          for fine in ("usable", "good")),
    ],
)  # fmt: skip
def test_every_case_has_its_sentences(p_good, overall, likely, told):
    assert advice(p_good, overall, likely) == told
    assert tuple(REMEDIES) == DETAILS


@pytest.mark.parametrize(("p_good", "overall"), [({"sharpness": 0.1}, None), (FINE, "excellent"), ({}, None)])
def test_a_slip_of_the_programmer_is_named(p_good, overall):
    with pytest.raises(ValueError, match=f"needs details .* got {p_good} and {overall!r}"):
        advice(p_good, overall)


BAD = Answer(
    Path("clinic/a/1.jpg"), {"reject": 0.9, "usable": 0.08, "good": 0.02},
    {"illumination": 0.91, "clarity": 0.04, "contrast": 0.5}, ["out of focus: refocus and retake"],
)  # fmt: skip
GOOD = Answer(Path("clinic/b/[2].jpg"), {"reject": 0.1, "usable": 0.2, "good": 0.7}, {}, ["no retake needed"])
NONE = Answer(Path("clinic/b/3.jpg"), {}, {}, ["look"], NO_FUNDUS)
DETAIL = Answer(Path("1.jpg"), {}, {"clarity": 0.7}, ["no retake needed"])  # a model without an overall head
WARNED = [replace(answer, warning="phantom model: beware") for answer in (GOOD, BAD, NONE)]


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
    assert "0.04 bad" in table(BAD, GOOD, NONE, width=80)[2]
    warned = table(*WARNED)
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


@pytest.mark.parametrize(
    ("answers", "more", "told"),
    [
        (
            [BAD, GOOD, NONE, BAD],
            (1,),
            "4 photographs: 1 good, 2 reject, 1 without answer; 1 could not be read",
        ),
        (WARNED[:1], (0, "2 hidden"), "1 photograph: 1 good; passed over: 2 hidden; phantom model"),
        ([DETAIL], (0,), "1 photograph: 1 judged by details"),
    ],
)
def test_the_summary_counts_everything(answers, more, told):
    assert summary(answers, *more) == told
