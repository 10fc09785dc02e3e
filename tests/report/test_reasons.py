"""Reasons by class, on answers that can be counted by hand."""

import numpy as np
import pandas as pd
import pytest

from riqa.labels import DETAILS
from riqa.report.reasons import reason_intervals, reason_results, reasons_table


def predictions():
    answers = [  # p(good) of illumination, clarity, contrast; overall
        (0.4, 0.9, 0.9, 0), (0.9, 0.9, 0.9, 0), (0.1, 0.2, 0.9, 0), (0.6, 0.3, 0.9, 0),
        (0.9, 0.9, 0.9, 2), (0.45, 0.9, 0.9, 2), (0.7, 0.8, 0.9, 1), (0.2, 0.1, 0.1, np.nan),
    ]  # fmt: skip
    frame = pd.DataFrame(answers, columns=[*(f"p_{detail}" for detail in DETAILS), "overall"])
    names = [f"p{k}" for k in range(len(frame))]
    frame = frame.assign(image_id=names, patient_id=names, eye="left", dataset="toy", seed=0)
    return frame.assign(**dict.fromkeys(DETAILS, np.nan))


def test_reasons_are_counted_by_class():
    found = reason_intervals(predictions(), 3, n_resamples=100)
    values = {name: interval.value for name, interval in found.items()}
    assert (values["reject.any"], values["good.any"], values["usable.any"]) == (0.75, 0.5, 0.0)
    assert (values["reject.illumination"], values["reject.clarity"]) == (0.5, 0.5)
    assert values["good.illumination"] == 0.5
    # Illumination, pairs of a good and a rejected one in which the good one is higher: (3.5 + 2) of 8.
    assert values["auc.illumination"] == pytest.approx((3 + 0.5 + 2) / 8)
    assert values["auc.worst"] == pytest.approx((3.5 + 3) / 8)
    assert values["auc.contrast"] == 0.5


def test_a_class_without_images_is_left_out_and_records_are_named():
    frame = predictions()
    frame = frame[frame["overall"] != 2]
    records = reason_results(frame, 3, "teacher", n_resamples=100)
    assert {item.name.rsplit(".", 2)[1] for item in records} == {"reject", "usable"}
    assert records[0].name == "reasons.toy.teacher.reject.any"


def test_the_table_tells_how_far_the_shares_are():
    known = pd.DataFrame(0.5, index=["reject", "usable", "good"], columns=list(DETAILS))
    known.loc["usable"] = 0.0
    known.loc["good", ["clarity", "contrast"]] = 0.2
    table = reasons_table({("toy", "test", "raw"): reason_intervals(predictions(), 3, 100)}, known)
    row = table.loc[("toy", "test", "raw")]
    assert row["farthest share"] == "0.50"  # contrast of rejects, which is never called bad
    assert row["worst class with a reason"].startswith("0.75 [")
    assert row["and of each"].split(", ")[2] == "0.50"
    other = reasons_table({("toy", "test", "raw"): reason_intervals(predictions(), 3, 100)}, known.iloc[:2])
    assert other["farthest share"].item() == "–"
