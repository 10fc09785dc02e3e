import numpy as np
import pytest

from riqa.report.latent_shares import (
    good_shares,
    nearer_to_planted,
    share_records,
    share_sentences,
    shares_for_page,
)
from tests.report.details_cases import answers, drawn

STUDENT = "multi_task-grades"
LABELS = [[0, 1, np.nan]] * 6 + [[1, 1, np.nan]] * 4
PROBS = [[[0.9, 0.9, 0.9]] * 10, [[0.9, 0.9, 0.9]] * 8 + [[0.1, 0.9, 0.9]] * 2]


def shares(**options):
    rows = answers(LABELS, PROBS, model=STUDENT)
    return good_shares(
        {STUDENT: rows, "teacher": rows.assign(model="teacher")}, **{"n_resamples": 200} | options
    )


def test_shares_by_hand_and_a_detail_that_nobody_judged_left_out():
    found = shares().set_index(["model", "detail"]).loc[STUDENT]
    assert found.index.tolist() == ["illumination", "clarity"]
    row = found.loc["illumination"]
    assert (row["experts"], row["n"], row["seeds"]) == (0.4, 10, (0, 1))
    assert row["predicted"] == pytest.approx(0.9)
    assert row["value"] == pytest.approx(-0.5)
    assert row["low"] < -0.5 < row["high"] < 0
    assert found.loc["clarity", ["value", "low", "high"]].tolist() == [0, 0, 0]


@pytest.mark.parametrize("knob", [{"confidence": 0.5}, {"n_resamples": 30}, {"seed": 1}])
def test_every_knob_is_alive(knob):
    rows = {"teacher": drawn(0.3)}
    base, other = good_shares(rows, n_resamples=50), good_shares(rows, **{"n_resamples": 50} | knob)
    assert base["low"].tolist() != other["low"].tolist()


def test_sentences_claim_a_difference_only_where_the_interval_excludes_zero():
    lit, clear = share_sentences(shares(), STUDENT)
    assert lit.startswith(
        "Illumination: the experts call **fewer** images good than the model does (40% against 90%"
    )
    assert "no difference is shown" in clear
    turned = shares().assign(value=0.5, low=0.2, high=0.7)
    assert "**more**" in share_sentences(turned, STUDENT)[0]


def test_nearer_to_what_was_planted():
    found = nearer_to_planted(shares(), {"illumination": 0.5, "clarity": 0.5}, STUDENT)
    assert found == ["illumination: the experts", "clarity: both alike"]
    assert (
        nearer_to_planted(shares(), {"illumination": 0.8, "clarity": 1}, STUDENT)[0]
        == "illumination: the model"
    )


def test_records_and_the_table():
    records = {item.name: item for item in share_records("obs", shares())}
    assert records[f"latent.obs.{STUDENT}.illumination.good_experts"].value == 0.4
    assert records[f"latent.obs.{STUDENT}.illumination.good_difference"].high < 0
    assert len(records) == 12
    html = shares_for_page(shares(), {"illumination": 0.55, "clarity": 1.0}, "Shares").to_html()
    assert all(text in html for text in ("planted", "55%", "Student of grades", "-0.50<br>", "40%"))
    assert "planted" not in shares_for_page(shares(), None, "Shares").to_html()
    order = [html.index(text) for text in ("illumination", "clarity")]
    assert order == sorted(order)
