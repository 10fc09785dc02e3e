"""Rows about curated sets, against numbers counted by hand."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from riqa import paper
from riqa.data.adapters import NAMES as ADAPTERS
from riqa.data.curate import curate
from riqa.data.findings import Finding
from riqa.data.fov import FieldOfView
from riqa.data.manifest import Dataset
from riqa.data.published import COUNTS
from riqa.data.set_names import NAMES
from riqa.evaluate.framing import held_out_aucs
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


def test_a_set_is_described_by_its_card_and_itself(eyes):
    clinic = replace(eyes, name="clinic", manifest=eyes.manifest.assign(source=["b", "a"] * 6))
    told = curation.described([clinic], {"clinic": "details"})
    assert told.loc["clinic", ["role", "cameras", "licence"]].tolist() == ["details", "a, b", "MIT"]
    assert told.loc["clinic", "source"] == "made here"


def test_findings_stand_in_the_order_of_the_sets(eyes, monkeypatch):
    one = Finding("code", "info", "text")
    between = [("b_set and a_set", one), ("b_set", one), ("a_set", one)]
    monkeypatch.setattr(curation, "inspect_sets", lambda datasets, jobs: between)
    found = curation.findings({"b_set": replace(eyes, findings=(one,)), "a_set": eyes})
    assert found["set"].tolist() == ["b set", "b set", "a set", "b set and a set"]
    assert found.iloc[0, 1:].tolist() == ["info", "code", "text"]


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
    numbers = {"count": 22, "set_aside": 2, "patients": 22, "patients_in_several_splits": 0}
    assert everything.to_dict() == numbers
    assert "label_shift" not in set(curation.counts(replace(store, manifest=store.manifest[:1]))["metric"])
    patients = ["p"] * 2 + [f"q{k}" for k in range(9)]
    torn = replace(store, manifest=store.manifest.assign(patient_id=patients))
    found = curation.totals([torn]).set_index("metric")["value"]
    assert (found["patients"], found["patients_in_several_splits"]) == (10, 1)


def test_images_of_all_stores_stand_in_one_table(tmp_path):
    graded = dataset(tmp_path / "a", overall=[0.0, 2.0, np.nan] * 4)
    plain = replace(dataset(tmp_path / "b"), name="plain", n_classes=None)
    plain = replace(plain, manifest=plain.manifest.assign(dataset="plain", overall=np.nan))
    (graded.root / graded.manifest["path"][0]).write_bytes(b"")
    stores = {one.name: curate(one, tmp_path / one.name, 16) for one in (graded, plain)}
    table = curation.curated(stores)
    assert table["dataset"].value_counts().to_dict() == {"x": 11, "plain": 12}
    assert table["label"].fillna("")[:5].tolist() == ["good", "", "reject", "good", ""]
    assert table["label"][11:].isna().all()
    assert table["row"].tolist() == [*range(11), *range(12)]
    fields = pd.read_parquet(stores["plain"].root / "fields.parquet")
    assert table["radius"][11:].tolist() == fields["radius"].tolist()


def test_agreement_is_that_of_the_sets_with_a_truth(tmp_path, eyes):
    images = manifest(2).assign(height=9, width=9, x=4.0, y=4.0, radius=3.0, left=0, top=0, right=9, bottom=9)
    images = images.assign(score=1.0, dataset="eyes")
    truth = pd.DataFrame({"image_id": images["image_id"], "fov_x": 4.0, "fov_y": 4.0, "fov_radius": 3.0})
    for name in ("eyes", "spoilt"):
        (tmp_path / name).mkdir()
    truth.assign(fov_cut=1.0).to_parquet(tmp_path / "eyes" / "truth.parquet")
    truth.assign(source_image_id="a").to_parquet(tmp_path / "spoilt" / "truth.parquet")
    sets = {name: replace(eyes, root=tmp_path / name) for name in ("none", "eyes", "spoilt")}
    assert curation.agreement(sets, images)["eyes"].tolist() == [1, 1]
    assert set(curation.agreement(sets, images)) == {"eyes"}
    torn = images.assign(dataset="spoilt", split="test")
    with pytest.raises(ValueError, match="spoilt and eyes have patients in several splits"):
        curation.agreement(sets, pd.concat([images.assign(split="train"), torn]))


def test_the_rim_of_a_field_is_drawn_inside_of_it():
    photograph = np.zeros((100, 120, 3), np.uint8)
    field = FieldOfView((100, 120), (60.0, 50.0), 40.0, (0, 0, 120, 100), 1.0)
    drawn = curation.outlined(photograph, field)
    blue = (drawn == (86, 180, 233)).all(axis=2)
    assert not photograph.any()
    assert not (blue & ~field.mask()).any()
    assert blue[50, 20:23].all()  # two pixels wide, at the rim
    assert not blue[50, 24:97].any()
    cut = FieldOfView((100, 120), (60.0, 50.0), 80.0, (0, 0, 120, 100), 1.0)
    assert (curation.outlined(photograph, cut)[0, 40:80] == (86, 180, 233)).all()  # also where the image ends


def test_agreement_of_fields_by_set_and_over_all():
    rows = curation.fields({"a": pd.Series([0.9, 0.97, 0.99]), "b": pd.Series([0.5])})
    value = rows.set_index(["dataset", "metric"])["value"]
    assert value["a", "field_iou_median"] == 0.97
    assert math.isclose(value["a", "field_iou_p01"], 0.9 + 0.02 * 0.07)
    assert value["all sets", "field_iou_median"] == pytest.approx((0.9 + 0.97) / 2)
    assert len(curation.fields({})) == 0


def test_framings_have_aucs_and_differences_in_the_same_folds():
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
    bad, patients = table["clarity"][:100].eq(0).to_numpy(), table["patient_id"][:100].to_numpy()
    (aucs,) = held_out_aucs([told[:100]], bad, patients)
    assert large["value"] == pytest.approx(aucs.mean())
    gain = find(rows, model="largest", rival="smallest", **keys)
    small = find(rows, model="crop", group="16 px", **keys)
    assert gain["value"] == pytest.approx(large["value"] - small["value"])
    assert 0 < gain["low"] < gain["value"] < gain["high"]
    same = find(rows, model="crop", rival="whole", **keys)  # the same numbers in both
    assert (same["value"], same["low"], same["high"], same["p"]) == (0, 0, 0, 1)
