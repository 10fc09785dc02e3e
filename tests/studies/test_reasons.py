"""Reasons by class, on answers that can be counted by hand."""

import numpy as np
import pandas as pd
import pytest

from riqa.studies import reasons
from tests.studies.answers import answers, value


def predictions():
    given = [  # p(good) of illumination, clarity, contrast; overall
        (0.4, 0.9, 0.9, 0), (0.9, 0.9, 0.9, 0), (0.1, 0.2, 0.9, 0), (0.6, 0.3, 0.9, 0),
        (0.9, 0.9, 0.9, 2), (0.45, 0.9, 0.9, 2), (0.7, 0.8, 0.9, 1), (0.2, 0.1, 0.1, np.nan),
    ]  # fmt: skip
    *probs, overall = np.array(given, dtype=float).T
    return answers(np.full((8, 3), np.nan), np.transpose(probs), overall=overall)


def test_reasons_are_counted_by_class():
    found = reasons.reasons(predictions(), {"set": 3}, n_resamples=100)
    shares = {(row.group, row.target): row.value for row in found.itertuples()}
    assert [shares[label, "any"] for label in ("reject", "good", "usable")] == [0.75, 0.5, 0.0]
    assert (shares["reject", "illumination"], shares["reject", "clarity"]) == (0.5, 0.5)
    # Illumination, pairs of a good and a rejected one in which the good one is higher: (3.5 + 2) of 8.
    assert shares["reject against good", "illumination"] == pytest.approx((3 + 0.5 + 2) / 8)
    assert shares["reject against good", "worst"] == pytest.approx((3.5 + 3) / 8)
    assert shares["reject against good", "contrast"] == 0.5
    assert set(found["n"]) == {8}


def test_a_class_without_images_is_left_out_and_silence_gives_no_reason():
    frame = predictions().query("overall != 2").assign(p_clarity=np.nan)
    found = reasons.reasons(frame, {"set": 3}, n_resamples=50)
    assert set(found["group"]) == {"reject", "usable"}  # and no AUC
    assert value(found, model="teacher", metric="called_bad", group="reject", target="clarity") == 0


def of_classes(medians, spread=0.1, seeds=1):
    """Five images a class whose quartiles lie `spread` below and above the median, all details alike."""
    steps = np.array([-2, -1, 0, 1, 2])[:, None] * np.ones(3)
    spread = np.broadcast_to(spread, (len(medians), 3))
    probs = np.concatenate([m + steps * s for m, s in zip(medians, spread, strict=True)])
    overall = np.repeat(np.arange(len(medians), dtype=float), 5)
    return answers(np.full((len(probs), 3), np.nan), np.stack([probs] * seeds), overall=overall)


def quartiles(*args, **options):
    n_classes = len(args[0])
    return reasons.quartiles(of_classes(*args, **options), {"set": n_classes})


def test_quartiles_by_hand():
    found = quartiles([0.2, 0.5, 0.7])
    row = found[(found["group"] == "usable") & (found["target"] == "clarity")].iloc[0]
    assert row[["low", "median", "high", "spread"]].tolist() == pytest.approx([0.4, 0.5, 0.6, 0.2])
    assert row["n"] == 5
    assert found["group"].unique().tolist() == ["reject", "usable", "good"]
    frame = of_classes([0.2, 0.8])
    frame.loc[:4, "overall"] = np.nan  # images without a grade, and classes without an image, have no row
    assert set(reasons.quartiles(frame, {"set": 3})["group"]) == {"usable"}


def test_rows_are_means_over_seeds_with_their_range():
    frame = of_classes([0.3, 0.6], seeds=2)
    frame.loc[frame["seed"] == 1, "p_illumination"] += 0.1
    found = reasons.over_seeds(reasons.quartiles(frame, {"set": 2}))
    row = found.query("metric == 'median' and group == 'bad' and target == 'illumination'").iloc[0]
    assert row[["value", "low", "high"]].tolist() == pytest.approx([0.35, 0.3, 0.4])
    assert (row["n"], row["seeds"], row["method"]) == (5, (0, 1), "seeds")


def test_the_papers_sentences_hold_where_they_should():
    """Made so that every sentence holds, then so that none does."""
    three = quartiles([0.2, 0.5, 0.8], [[0.01, 0.01, 0.02], [0.05] * 3, [0.01] * 3], seeds=2)
    two = quartiles([0.4, 0.8], [[0.08] * 3, [0.01] * 3], seeds=2)
    holds = reasons.statements({3: three, 2: two})
    assert len(holds) == 9
    assert (holds["holds"] == 2).all()
    broken = quartiles([0.6, 0.5, 0.3], [[0.05, 0.05, 0.04], [0.01] * 3, [0.09] * 3], seeds=2)
    swapped = quartiles([0.8, 0.4], [[0.01] * 3, [0.08] * 3], seeds=2)
    assert (reasons.statements({3: broken, 2: swapped})["holds"] == 0).all()


def test_sentences_about_what_is_not_there_are_open():
    alone = reasons.statements({3: quartiles([0.2, 0.5, 0.8])})
    of_two = alone["statement"].str.startswith("DeepDRiD")
    assert alone.loc[of_two, "holds"].isna().all()
    assert alone.loc[~of_two, "holds"].notna().all()
    no_reject = reasons.quartiles(of_classes([0.2, 0.5, 0.8])[5:], {"set": 3})
    found = reasons.statements({3: no_reject}).set_index("statement")["holds"]
    assert found["EyeQ (three classes): good images cluster at high probabilities"] == 1
    assert pd.isna(found["EyeQ (three classes): rejectable images receive low illumination and clarity"])
