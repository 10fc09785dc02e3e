"""What a reader sees of the claims: sentences for every case, and numbers that add up."""

import pytest

from riqa.report.claims import Claim, Evidence, Part
from riqa.report.claims_figures import claims_figure
from riqa.report.claims_pages import (
    conclusion,
    counted,
    evidence_for_page,
    flips,
    kind_of_data,
    label_economy,
    overview,
    quotation,
    uncorrected,
)
from riqa.report.results import record

GAIN = Part("gain", "Gain", "06_compare", "overall.{set}", "{set}", "better", 0.01)
LOSS = Part("loss", "Loss", "08_analyse", "observers.{set}", "{set}", "no_worse", 0.05)
NONE = Part("none", "None", "01_curate", "curation.{set}", "{set}", "count", 1.0)
PARTS = {part.key: part for part in (GAIN, LOSS, NONE)}
CLAIM = Claim("c", "Title", "words", "Section 1", "0.9", ("gain", "loss", "none"), "Do this.")


def item(part, name, low, high, finding, **more):
    return Evidence(part, name, name, name, (low + high) / 2, low, high, 40, finding=finding, **more)


EVIDENCE = {
    "gain": [
        item(GAIN, "overall.phantom_a", 0.1, 0.2, "for", p_value=0.001, p_holm=0.002),
        item(GAIN, "overall.phantom_b", -0.1, 0.3, "undecided"),
    ],
    "loss": [item(LOSS, "observers.phantom_a", -0.25, 0.1, "undecided")],
    "none": [],
}


def test_the_overview_links_chapters_and_counts_answers():
    last = overview([CLAIM], PARTS, EVIDENCE).splitlines()[-1]
    assert last == (
        "| Title | 1 for, 2 undecided | **supported in part** "
        "| [06](06_compare.ipynb), [08](08_analyse.ipynb), [01](01_curate.ipynb) |"
    )
    assert counted([]) == "none"


def test_the_conclusion_says_what_is_hidden_and_what_is_missing():
    text = conclusion(CLAIM, PARTS, EVIDENCE)
    assert text.startswith("**Verdict: supported in part** (")
    assert "- *Gain*: 1 for, 1 undecided; the open ones could hide a gain of up to 0.300." in text
    assert "- *Loss*: 1 undecided; the open ones could hide a loss of up to 0.250." in text
    assert "- *None*: this build has no such number." in text
    assert text.endswith("**To settle it:** Do this.")
    assert quotation(CLAIM).startswith("> words\n>\n> — Section 1")


def test_the_table_shows_interval_margin_and_corrected_p_value():
    html = evidence_for_page(EVIDENCE["gain"] + EVIDENCE["loss"], "Evidence").to_html()
    assert html.count("<b>Gain</b>") == html.count("<b>Loss</b>") == 1
    for text in ("+0.150", "+0.100 to +0.200", "+0.01", "-0.05", "0.002", "undecided"):
        assert text in html


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["overall.phantom_a"], "the method under known conditions**"),
        (["overall.eyeq"], "All evidence of this build comes from real photographs"),
        (["overall.eyeq", "details.simulated_details"], "Some evidence"),
        ([], "no evidence at all"),
    ],
)
def test_the_page_says_what_its_verdicts_are_about(names, said):
    assert said in kind_of_data({"gain": [item(GAIN, name, 0.1, 0.2, "for") for name in names]})


def test_labels_and_flips_are_counted_from_records():
    curation = [record(f"curation.{name}.train.count", n) for name, n in (("d", 642), ("e", 12543))]
    details = [record("details.d.teacher.macro_f1", 0.5), record("details.o.teacher.macro_f1", 0.5)]
    overall = [
        record("overall.e.multi_task.macro_f1", 0.5),
        record("overall.e_by_eye.multi_task.macro_f1", 0.5),
    ]
    text = label_economy(*({r.name: r for r in rows} for rows in (curation, overall, details)))
    assert "experts have labelled: 642 of *d*." in text
    assert "instead: 12,543 of *e*." in text
    assert label_economy({}, {}, {}).count("not known") == 2
    ways = {"reject.wrong_to_right": 2.5, "good.wrong_to_right": 1.0, "good.right_to_wrong": 4.0}
    names = {f"explanations.e.flips.overall.{way}": n for way, n in ways.items()}
    text = flips({name: record(name, n) for name, n in names.items()})
    assert "- *e*: wrong made right 3.5, right made wrong 4" in text
    assert "not counted" in flips({})


def test_only_gains_without_a_p_value_are_left_uncorrected():
    assert uncorrected(EVIDENCE) == (1, 0.025)


def test_the_figure_draws_a_row_a_difference_and_its_margin_on_the_side_that_counts():
    figure = claims_figure(EVIDENCE, "Title")
    (axis,) = figure.axes
    labels = [text.get_text() for text in axis.get_yticklabels()]
    assert labels == ["overall.phantom_a", "overall.phantom_b", "observers.phantom_a"]
    margins = [line.get_xdata()[0] for line in axis.lines if line.get_color() == "#029E73"]
    assert margins == [0.01, 0.01, -0.05]
