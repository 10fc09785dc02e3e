import math

import numpy as np

from riqa.data.curate import curate
from riqa.report.curation import curation_results, framing_results
from tests.data.photographs import dataset


def test_counts_shares_and_agreement_are_reported(tmp_path):
    data = dataset(tmp_path / "photographs", clarity=[1.0, 0.0, np.nan] * 4)
    (data.root / data.manifest["path"][3]).write_bytes(b"")
    store = curate(data, tmp_path / "store", 16)
    values = {item.name: item.value for item in curation_results(store, [0.9, 0.97, 0.99])}
    # Images 0, 3, 6, 9 are training images of class reject and of good clarity; number 3 cannot be read.
    assert values["curation.x.train.count"] == 3
    assert values["curation.x.train.reject.count"] == 3
    assert values["curation.x.train.good.count"] == 0
    assert values["curation.x.train.clarity.share_good"] == 1
    assert values["curation.x.val.clarity.share_good"] == 0
    assert "curation.x.test.clarity.share_good" not in values
    assert "curation.x.train.contrast.share_good" not in values
    assert values["curation.x.set_aside"] == 1
    assert values["curation.x.label_shift"] == 1  # all reject in training, all good in the test split
    assert values["curation.x.field_iou_median"] == 0.97
    assert math.isclose(values["curation.x.field_iou_p01"], 0.9 + 0.02 * 0.07)
    assert "curation.x.field_iou_median" not in {item.name for item in curation_results(store)}


def test_framings_become_records_with_their_intervals():
    row = {"detail": "clarity", "framing": "crop", "size": 64, "n": 9, "value": 0.7, "low": 0.6, "high": 0.8}
    (item,) = framing_results("x", [row])
    assert item.name == "curation.x.clarity.auc.crop_64"
    assert (item.value, item.low, item.high, item.n) == (0.7, 0.6, 0.8, 9)
