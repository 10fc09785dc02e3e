import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riqa.data.findings import Finding
from riqa.data.manifest import (
    COLUMNS,
    Dataset,
    grouped_stratified_split,
    patients_in_several_splits,
    save_dataset,
    validate_manifest,
)
from riqa.data.split_sizes import split_sizes
from riqa.errors import InputError
from riqa.files import read_parquet
from tests.data.photographs import manifest


def changed(column, value):
    frame = manifest()
    frame[column] = frame[column].astype(object)
    frame.loc[5, column] = value
    return frame


PATIENTS = ["p0", "p0", *(f"p{k}" for k in range(2, 12))]
TWICE = ["i0", "i0", *(f"i{k}" for k in range(2, 12))]


@pytest.mark.parametrize(
    ("frame", "n_classes", "message"),
    [
        (changed("overall", 3), 3, "column overall: image i5 has 3.0; legal: 0, 1, 2"),
        (changed("illumination", 0.5), 3, "column illumination: image i5 has 0.5"),
        (changed("eye", "L"), 3, "column eye: .*legal: 'left', 'right', 'unknown'"),
        (changed("split", "dev"), 3, "column split: .*legal: 'train', 'val', 'test'"),
        (changed("path", ""), 3, "column path: image i5: value is empty"),
        (changed("path", None), 3, "column path: image i5: value is missing"),
        (changed("overall", "fine"), 3, "not a number.*fine"),
        (manifest(), 2, "column overall: .*legal: 0, 1;"),  # good of three classes is no binary label
        (manifest(), None, "column overall: .*missing only"),
        (manifest(image_id=TWICE), 3, "column image_id: image i0: value occurs twice"),
        (manifest(patient_id=PATIENTS), 3, "column split: patient p0 has images in train, val"),
        (manifest().drop(columns="eye"), 3, r"lacks the column\(s\) eye"),
        (manifest().iloc[:0], 3, "no images"),
    ],
)
def test_what_breaks_the_contract_names_dataset_column_and_image(frame, n_classes, message):
    with pytest.raises(InputError, match=message) as caught:
        validate_manifest(frame, n_classes)
    assert str(caught.value).startswith("dataset x: " if len(frame) else "dataset unnamed: ")
    assert "\n" not in str(caught.value)


def test_leaking_patients_are_listed_and_other_severities_a_mistake():
    frame = manifest(6, patient_id=["a", "a", "b", "b", "c", "d"], split=["train", "test", *["train"] * 4])
    assert patients_in_several_splits(frame) == ["a"]
    with pytest.raises(ValueError, match="fatal"):
        Finding("f", "fatal", "m")


FINDINGS = (Finding("f", "info", "ü"), Finding("g", "warning", "two are bad", ("a", "b")))


def test_saved_dataset_holds_what_was_given_and_saves_to_the_same_bytes(tmp_path):
    frame = manifest(overall=[np.nan, *([2.0] * 11)]).assign(extra=1)[["extra", *reversed(COLUMNS)]]
    original = Dataset("x", tmp_path / "a", frame, 3, "c", "MIT", FINDINGS)
    save_dataset(original)
    saved = read_parquet(tmp_path / "a" / "manifest.parquet")
    wanted = frame[list(COLUMNS)].astype(saved.dtypes)  # in order, without further columns
    pd.testing.assert_frame_equal(saved, wanted)
    told = json.loads((tmp_path / "a" / "dataset.json").read_text(encoding="utf-8"))
    assert (told["n_classes"], told["licence"]) == (3, "MIT")
    assert [Finding(**{**one, "items": tuple(one["items"])}) for one in told["findings"]] == [*FINDINGS]
    assert [finding["message"] for finding in told["findings"]] == ["ü", "two are bad"]
    save_dataset(Dataset("x", tmp_path / "b", saved, 3, "c", "MIT", FINDINGS))
    for name in ("manifest.parquet", "dataset.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["dataset.json", "manifest.parquet"]


@pytest.mark.parametrize("drawn", [True, False])
def test_what_is_drawn_is_written(tmp_path, drawn):
    save_dataset(Dataset("clinic", tmp_path, manifest(), 3, "c", "MIT", drawn=drawn))
    assert json.loads((tmp_path / "dataset.json").read_text())["drawn"] is drawn


def cohort(sizes, classes):
    """Return patient_id and overall for patients with the given numbers of images."""
    patients = np.repeat([f"p{k}" for k in range(len(sizes))], sizes)
    return pd.DataFrame({"patient_id": patients, "overall": np.resize(classes, len(patients)).astype(float)})


def test_asymmetric_fractions_are_met_for_each_class_and_seeds_deal_other_patients():
    rng = np.random.default_rng(3)
    frame = cohort(rng.integers(1, 3, 800), rng.choice([0, 1, 2], 800, p=[0.18, 0.15, 0.67]))
    fractions = {"train": 0.6, "val": 0.1, "test": 0.3}
    split, again, other = (grouped_stratified_split(frame, fractions, seed) for seed in (0, 0, 1))
    table = pd.crosstab(split, frame["overall"], normalize="columns")
    for name, fraction in fractions.items():
        assert table.loc[name].sub(fraction).abs().max() < 0.015
        assert abs((split == name).mean() - fraction) < 0.005
    assert split.equals(again)
    assert (split != other).any()


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=3, max_size=60),
    classes=st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), min_size=1, max_size=20),
    val=st.floats(0.05, 0.3),
    seed=st.integers(0, 5),
)
def test_no_patient_is_split_and_no_split_is_empty(sizes, classes, val, seed):
    frame = cohort(sizes, classes)
    split = grouped_stratified_split(frame, {"train": 0.9 - val, "val": val, "test": 0.1}, seed)
    assert split.groupby(frame["patient_id"]).nunique().max() == 1
    assert set(split) == {"train", "val", "test"}
    assert len(split) == len(frame)


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 3), min_size=6, max_size=80),
    shares=st.lists(st.floats(0.1, 1), min_size=2, max_size=3),
    seed=st.integers(0, 5),
)
def test_sizes_are_the_rounded_quotas_where_single_images_permit(sizes, shares, seed):
    frame = cohort([1] * 6 + sizes, [0, 1, 2, 2])
    shares = np.array(shares) / sum(shares)
    names = ("train", "val", "test")[: len(shares)]
    split = grouped_stratified_split(frame, dict(zip(names, shares, strict=True)), seed)
    assert [int((split == name).sum()) for name in names] == split_sizes(len(frame), shares).tolist()


def test_strata_are_what_is_balanced():
    frame = cohort([1] * 400, [0.0])
    rng = np.random.default_rng(1)
    for name in ("clarity", "contrast"):
        frame[name] = rng.choice([0.0, 1.0, np.nan], 400)
    shares = {"train": 0.75, "val": 0.25}
    both = grouped_stratified_split(frame, shares, 0, ("clarity", "contrast"))
    kinds = frame.groupby(["clarity", "contrast"], dropna=False).ngroup()
    balance = [
        pd.crosstab(split, kinds, normalize="columns").loc["val"].sub(0.25).abs().max()
        for split in (both, grouped_stratified_split(frame, shares, 0))
    ]
    assert balance[0] < 0.02 < balance[1]


def test_impossible_splits_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        grouped_stratified_split(cohort([1] * 9, [0]), {"train": 0.6, "test": 0.3}, 0)
    with pytest.raises(ValueError, match="among"):
        grouped_stratified_split(cohort([1] * 9, [0]), {"train": 0.5, "dev": 0.5}, 0)
    with pytest.raises(InputError, match="2 patient"):
        grouped_stratified_split(cohort([3, 3], [0]), {"train": 0.6, "val": 0.1, "test": 0.3}, 0)
