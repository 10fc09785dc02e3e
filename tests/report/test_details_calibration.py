import numpy as np
import pytest

from riqa.labels import DETAILS
from riqa.report.details_calibration import calibration_results, calibration_table, detail_calibration
from tests.report.details_cases import answers, drawn


def test_records_and_table_by_hand():
    labels = np.repeat([[1, 1, np.nan], [0, 1, np.nan]], 5, axis=0)
    predictions = answers(labels, np.full((10, 3), 0.8))
    measured = detail_calibration(predictions, n_resamples=50)
    assert list(measured) == ["illumination", "clarity"]
    found = {item.name: item for item in calibration_results(predictions, measured)}
    assert found["details.set.teacher.illumination.ece"].value == pytest.approx(0.3)
    assert found["details.set.teacher.clarity.ece"].value == pytest.approx(0.2)
    assert found["details.set.teacher.clarity.brier"].value == pytest.approx(0.04)
    assert found["details.set.teacher.contrast.ece"].value is None
    assert found["details.set.teacher.contrast.brier"].method == "no image is judged"
    table = calibration_table(found, "set", ["teacher"]).set_index("detail")
    assert table.loc["clarity", "Brier score"].startswith("0.040 [")
    assert (table.loc["contrast", ["ECE", "floor of ECE", "Brier score"]] == "–").all()


@pytest.mark.parametrize("knob", [{"n_bins": 3}, {"n_resamples": 30}, {"confidence": 0.5}])
def test_every_knob_is_alive(knob):
    predictions = drawn(0.3)
    plain, turned = (detail_calibration(predictions, **options) for options in ({}, knob))
    assert all(plain[detail].ece != turned[detail].ece for detail in DETAILS)


def test_seeds_share_one_table():
    predictions = drawn(0.3, n=20, seeds=3)
    assert detail_calibration(predictions, n_resamples=10)["clarity"].table["count"].sum() == 60
