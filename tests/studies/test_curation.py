"""Rows about curated sets, against numbers counted by hand."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from riqa import paper
from riqa.data.adapters import NAMES as ADAPTERS
from riqa.data.curate import curate
from riqa.data.manifest import Dataset
from riqa.data.published import COUNTS
from riqa.data.set_names import NAMES
from riqa.evaluate.framing import predict_held_out
from riqa.results import find
from riqa.studies import curation
from tests.data.photographs import dataset, manifest


@pytest.fixture
def eyes(tmp_path):
    """Return 12 images of two classes, 4 per split, that play the part of DeepDRiD."""
    frame = manifest(12, overall=[0.0, 1.0] * 6, splits=("train", "val", "test"))
    return Dataset("phantom_eyes", tmp_path, frame, 2, "made here", "MIT")


def test_every_set_has_a_card_but_a_readers_own():
    cards = paper.datasets()
    assert set(cards.index) == set(NAMES) - {"table"}
    assert set(cards.index[cards["plays"] != ""]) == set(cards.index) - set(ADAPTERS)
    assert set(cards["plays"]) - {""} <= set(COUNTS)
    assert (cards[["title", "photographs", "labels"]] != "").all(axis=None)
    own = paper.datasets("clinic", "eyeq")
    assert own["title"].tolist() == ["clinic", "EyeQ"]
    assert own.loc["clinic", "photographs"] == "a reader's own"


def test_counts_stand_above_those_of_the_set_that_is_played(eyes):
    """DeepDRiD has a published validation set; EyeQ's validation images are counted with those for training."""
    sets = [eyes, replace(eyes, name="phantom_grades", n_classes=3), replace(eyes, name="clinic")]
    table = curation.counts_beside_published(sets)
    assert list(table) == ["all", "reject", "bad", "usable", "good"]
    assert table.index.tolist() == [
        *(("phantom_eyes", split) for split in ("train", "val", "test")),
        *((name, split) for name in ("phantom_grades", "clinic") for split in ("train", "test")),
    ]
    assert table.loc[("phantom_eyes", "val"), "all"] == "4<br><small>DeepDRiD: 400</small>"
    assert table.loc[("phantom_eyes", "train"), "bad"] == "2<br><small>DeepDRiD: 624</small>"
    assert table.loc[("phantom_grades", "train"), "all"] == "8<br><small>EyeQ: 12,543</small>"
    assert table.loc[("clinic", "train"), ["all", "bad", "usable"]].tolist() == ["8", "4", ""]


def test_counts_shares_and_what_was_set_aside(tmp_path):
    data = dataset(tmp_path / "photographs", clarity=[1.0, 0.0, np.nan] * 4)
    (data.root / data.manifest["path"][3]).write_bytes(b"")
    store = curate(data, tmp_path / "store", 16)
    rows = curation.counts(store)

    def value(metric, **keys):
        return find(rows, dataset="x", metric=metric, method="count", **keys)["value"]

    # Images 0, 3, 6, 9 are training images of class reject and of good clarity; number 3 cannot be read.
    assert value("count", group="train") == value("count", group="train, reject") == 3
    assert value("count", group="train, good") == 0
    assert value("share_good", target="clarity", group="train") == 1
    assert value("share_good", target="clarity", group="val") == 0
    shares = rows[rows["metric"] == "share_good"]
    assert set(shares["target"] + " " + shares["group"]) == {"clarity train", "clarity val"}
    assert value("set_aside") == 1
    assert value("label_shift") == 1  # all reject in training, all good in the test split
    everything = curation.totals([store, store]).set_index("metric")["value"]
    assert everything.to_dict() == {
        "count": 22, "set_aside": 2, "patients": 22, "patients_in_several_splits": 0,
    }  # fmt: skip
    assert "label_shift" not in set(curation.counts(replace(store, manifest=store.manifest[:1]))["metric"])
    patients = ["p"] * 2 + [f"q{k}" for k in range(9)]
    torn = replace(store, manifest=store.manifest.assign(patient_id=patients))
    found = curation.totals([torn]).set_index("metric")["value"]
    assert (found["patients"], found["patients_in_several_splits"]) == (10, 1)


def test_agreement_of_fields_by_set_and_over_all():
    rows = curation.fields({"a": pd.Series([0.9, 0.97, 0.99]), "b": pd.Series([0.5])})
    value = rows.set_index(["dataset", "metric"])["value"]
    assert value["a", "field_iou_median"] == 0.97
    assert math.isclose(value["a", "field_iou_p01"], 0.9 + 0.02 * 0.07)
    assert value["all sets", "field_iou_median"] == pytest.approx((0.9 + 0.97) / 2)
    assert len(curation.fields({})) == 0


def test_framings_have_aucs_and_differences_on_the_same_draws():
    rng = np.random.default_rng(0)
    table = manifest(120, **{d: rng.integers(0, 2, 120).astype(float) for d in ("illumination", "contrast")})
    table["clarity"] = [1.0, 0.0] * 50 + [np.nan] * 20
    noise = rng.normal(size=(120, 3))
    told = noise + 4 * (table["clarity"].fillna(0) == 0).to_numpy()[:, None]
    measured = {("crop", 64): told, ("crop", 16): noise, ("whole", 64): told, ("whole", 16): noise}
    rows = curation.framing(measured, table, dataset="x")
    keys = {"dataset": "x", "metric": "auc", "target": "clarity", "method": "scale_energies"}
    large = find(rows, model="crop", group="64 px", **keys)
    assert large["n"] == 100
    probs = predict_held_out(told[:100], table["clarity"][:100].eq(0).to_numpy(), table["patient_id"][:100])
    assert large["value"] == roc_auc_score(table["clarity"][:100] == 0, probs)
    gain = find(rows, model="largest", rival="smallest", **keys)
    small = find(rows, model="crop", group="16 px", **keys)
    assert gain["value"] == pytest.approx(large["value"] - small["value"])
    assert 0 < gain["low"] < gain["value"] < gain["high"]
    same = find(rows, model="crop", rival="whole", **keys)  # the same numbers in both
    assert (same["value"], same["low"], same["high"], same["p"]) == (0, 0, 0, 1)
