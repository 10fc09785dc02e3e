import numpy as np
import pandas as pd
import pytest

from riqa.report.details_by_class import (
    class_results,
    medians_table,
    paper_statements,
    probabilities_by_class,
)
from tests.report.details_cases import answers


def of_classes(medians, spread=0.1, model="m", seeds=1):
    """Five images a class whose quartiles lie `spread` below and above the median, all details alike."""
    steps = np.array([-2, -1, 0, 1, 2])[:, None] * np.ones(3)
    spread = np.broadcast_to(spread, (len(medians), 3))
    probs = np.concatenate([m + steps * s for m, s in zip(medians, spread, strict=True)])
    overall = np.repeat(np.arange(len(medians), dtype=float), 5)
    nothing = np.full((len(probs), 3), np.nan)
    return answers(nothing, np.stack([probs] * seeds), overall=overall, model=model)


def test_quartiles_by_hand():
    summary = probabilities_by_class(of_classes([0.2, 0.5, 0.7]), 3)
    row = summary[(summary["label"] == "usable") & (summary["detail"] == "clarity")].iloc[0]
    assert row["n"] == 5
    assert [row["low"], row["median"], row["high"]] == pytest.approx([0.4, 0.5, 0.6])
    assert medians_table(summary, "m").loc["good", "contrast"] == "0.70 (0.60 – 0.80)"


def test_records_are_means_over_seeds_with_their_range():
    predictions = of_classes([0.3, 0.6], seeds=2)
    later = predictions["seed"] == 1
    predictions.loc[later, ["p_illumination"]] += 0.1
    results = {item.name: item for item in class_results(probabilities_by_class(predictions, 2), "set")}
    found = results["details.set.m.illumination.bad.median"]
    assert [found.value, found.low, found.high] == pytest.approx([0.35, 0.3, 0.4])
    assert (found.n, found.seeds) == (5, (0, 1))
    assert results["details.set.m.clarity.good.spread"].value == pytest.approx(0.2)


def test_images_without_a_grade_and_empty_classes_have_no_row():
    predictions = of_classes([0.2, 0.8])
    predictions.loc[:4, "overall"] = np.nan
    assert list(probabilities_by_class(predictions, 3)["label"].unique()) == ["usable"]


def test_the_papers_sentences_hold_where_they_should():
    """Made so that every sentence holds, then one after the other broken."""
    spread = [[0.01, 0.01, 0.02], [0.05] * 3, [0.01] * 3]
    three = probabilities_by_class(of_classes([0.2, 0.5, 0.8], spread, seeds=2), 3)
    two = probabilities_by_class(of_classes([0.4, 0.8], [[0.08] * 3, [0.01] * 3], seeds=2), 2)
    holds = paper_statements({3: three, 2: two}, {3: "m", 2: "m"})
    assert len(holds) == 9
    assert (holds["holds_in"] == 2).all()
    broken = probabilities_by_class(
        of_classes([0.6, 0.5, 0.3], [[0.05, 0.05, 0.04], [0.01] * 3, [0.09] * 3], seeds=2), 3
    )
    swapped = probabilities_by_class(of_classes([0.8, 0.4], [[0.01] * 3, [0.08] * 3], seeds=2), 2)
    assert (paper_statements({3: broken, 2: swapped}, {3: "m", 2: "m"})["holds_in"] == 0).all()


def test_sentences_about_what_is_not_there_are_open():
    three = probabilities_by_class(of_classes([0.2, 0.5, 0.8]), 3)
    alone = paper_statements({3: three}, {3: "m"}).set_index("statement")["holds_in"]
    assert alone[alone.index.str.startswith("2 classes")].isna().all()
    assert alone[alone.index.str.startswith("3 classes")].notna().all()
    no_reject = probabilities_by_class(of_classes([0.2, 0.5, 0.8])[5:], 3)
    found = paper_statements({3: no_reject}, {3: "m"}).set_index("statement")["holds_in"]
    assert found["3 classes: good images cluster at high probabilities"] == 1
    assert found["3 classes: rejectable images receive low illumination and clarity"] != 1
    assert pd.isna(found["3 classes: rejectable images receive low illumination and clarity"])
