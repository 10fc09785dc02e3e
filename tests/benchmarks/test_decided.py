"""What is kept of profile `decide`: a build made by hand, and the files in the repository."""

from pathlib import Path

import pandas as pd
import pytest

from benchmarks import decided
from riqa import paper, results
from riqa.files import write_json
from riqa.publish.parameters import declared_parameters
from riqa.studies import claims
from tests.publish.toy import REPOSITORY

CHAPTER_12 = "12_weigh_claims"
FACTS = {
    "date": "2026-01-31", "code": "abc", "versions": {"riqa": "1"}, "seconds": 90,
    "hardware": {"processor": "P", "cores": 2, "memory_gb": 8},
}  # fmt: skip


def by_default(rows, chapter, of):
    """Weigh claims with the margins that their chapter declares."""
    declared = declared_parameters(REPOSITORY / "notebooks" / f"{chapter}.ipynb")
    margins = {name: declared[name].default for name in ("margin", "margin_overall")}
    return claims.weigh(paper.claims(of), claims.judge(claims.find(rows, paper.parts(of), margins)))


def test_rows_that_claims_ask_for_are_kept_and_no_others(tmp_path, monkeypatch):
    keys = dict(dataset="phantom_grades", model="multi_task", metric="true_class_raised", method="mrmc")
    advice = results.tidy(
        pd.DataFrame([{"value": 0.1 + 1e-9, "low": 0.05, "high": 0.2, "n": 300, "rival": "teacher"}]),
        **keys, seeds=(0, 1),
    )  # fmt: skip
    rows = [advice, advice.assign(metric="own_class_raised"), advice.assign(rival="all_details")]
    end = advice.assign(rival="", model="best_detail", method="pooled")  # how much there is to win
    chapters = {"11_guide_recapture": [*rows, end], CHAPTER_12: [results.tidy(pd.DataFrame(
        [{"metric": "verdict", "target": "hypothesis_2", "group": "mixed", "value": 1}]), method="judged")]}  # fmt: skip
    for chapter, tables in chapters.items():
        results.write(tmp_path / "work" / chapter, tables, chapter)
        write_json(tmp_path / "records" / f"{chapter}.json", {"facts": FACTS})
    decided.main(tmp_path, tmp_path)
    monkeypatch.setattr(paper, "files", lambda package: tmp_path)
    monkeypatch.setattr(paper, "_yaml", paper._yaml.__wrapped__)
    kept, about = paper.decided()
    assert kept["model"].tolist() == ["multi_task", "best_detail"]
    assert kept.loc[0, ["value", "n", "seeds"]].tolist() == [0.1, 300, (0, 1)]
    assert (about["verdicts"], about["minutes"]) == ({"claims": {"hypothesis_2": "mixed"}}, 3)
    assert about["machine"] == "P, 2 cores, 8 GB"


def test_the_kept_rows_give_the_kept_verdicts_and_are_of_many_seeds_and_photographs():
    kept, about = paper.decided()
    assert list(kept.columns) == results.KEYS + results.VALUES
    assert not kept.duplicated(results.KEYS).any()
    assert set(kept["method"]) <= results.METHODS.keys()
    for chapter, of in decided.OF.items():
        assert by_default(kept, chapter, of)["verdict"].to_dict() == about["verdicts"][of]
        assert set(about["verdicts"][of]) == set(paper.claims(of).index)
    leads = kept[kept["method"] == "mrmc"]
    assert leads["seeds"].map(len).min() >= 12  # of the laboratories
    assert leads.query("chapter < '13'")["seeds"].map(len).min() >= 24
    overall = leads[leads["chapter"] == "06_compare_overall_quality"]
    assert overall["n"].sum() / overall["rival"].nunique() >= 4_000
    assert about["minutes"] > 0
    assert pd.Timestamp(about["date"]) > pd.Timestamp("2026-11-01")


def test_without_a_build_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="No objects"):
        decided.main(Path(tmp_path / "none"), tmp_path)
    assert not list(tmp_path.iterdir())
