import numpy as np
import pandas as pd
import pytest

from riqa.data.adapters.mshf import read_mshf
from riqa.data.catalogue import to_dataset
from riqa.labels import DETAILS
from tests.data.expect import finding, items, refused, rows_of
from tests.data.layouts import DIMENSIONS, mshf_names, mshf_scores, write_mshf

FULL = {"DR-XJU": 235, "DR-ZJU": 187, "Glaucoma": 52, "Healthy": 26, "Local1": 150, "Local2": 152}
LABELS = list(DIMENSIONS)
READERS = "Individual_scores.xlsx.xlsx"


@pytest.fixture
def base(tmp_path):
    return write_mshf(tmp_path)


def test_folder_or_its_parent(base):
    for root in (base, base.parent):
        dataset = to_dataset(read_mshf(root))
        assert (dataset.root, dataset.n_classes) == (base, 2)
    with refused("holds neither"):
        read_mshf(base / "AI-use")


def test_agreed_scores_are_labels_read_by_column_name(tmp_path):
    agreed = {name: (1, 0, 1, 0) for name in mshf_names()}  # in the order of DIMENSIONS
    for folder, order in enumerate([DIMENSIONS, ("overall", "contrast", "clarity", "illumination")]):
        table = read_mshf(write_mshf(tmp_path / str(folder), agreed=agreed, order=order)).manifest
        labels = table.loc[table["source"] != "DR-ZJU", LABELS].drop_duplicates()
        assert labels.to_numpy().tolist() == [[1, 0, 1, 0]]


def test_all_zero_sheet_is_no_label_unless_it_is_about_its_own_group_and_the_majority_decides(tmp_path):
    readers = mshf_scores(mshf_names())
    readers["DR-XJU-2.jpg"] = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0]])
    zju = [f"DR-ZJU-{k}" for k in range(1, 6)]
    catalogue = read_mshf(write_mshf(tmp_path / "a", scores=readers))
    rows = rows_of(catalogue)
    for stem in (*zju, "Local1-1"):  # nor does that sheet, which lists every image, touch another group
        votes = readers[f"{stem}.jpg"].sum(axis=0)
        assert rows.loc[stem, LABELS].tolist() == (votes >= 2).astype(float).tolist()
    assert items(catalogue, "all-zero-sheet") == ("DR-ZJU",)
    assert items(catalogue, "readers-majority") == tuple(zju)
    agreed = {name: (0, 0, 0, 0) for name in mshf_names() if name != "DR-XJU-2.jpg"}
    catalogue = read_mshf(write_mshf(tmp_path / "b", scores=readers, agreed=agreed))
    rows = rows_of(catalogue)
    assert (rows.loc[rows["source"] == "Local1", LABELS] == 0).all(axis=None)
    assert items(catalogue, "all-zero-sheet") == ("DR-ZJU",)
    assert finding(catalogue, "agreed-unlike-majority") is not None
    assert rows.loc["DR-XJU-2", LABELS].tolist() == [1, 0, 1, 0]
    assert "DR-XJU-2" in items(catalogue, "readers-majority")


def test_readers_are_kept_apart_and_ultra_wide_field_is_left_out(base):
    catalogue = read_mshf(base)
    ratings = catalogue.ratings
    assert len(ratings) == 24 * 3 * 4  # images without ultra-wide field, readers, dimensions
    assert set(ratings["session"]) == {1}
    wide = ratings[ratings["image_id"] == "Glaucoma-2"].pivot(index="rater", columns="item", values="score")
    assert wide.index.tolist() == ["reader_1", "reader_2", "reader_3"]
    assert wide[LABELS].to_numpy().tolist() == mshf_scores(mshf_names())["Glaucoma-2.jpg"].tolist()
    for ids in (catalogue.manifest["image_id"], ratings["image_id"]):
        assert (ids.nunique(), ids.str.startswith("UWF").any()) == (24, False)
    assert "5 ultra-wide-field" in finding(catalogue, "ultra-wide-left-out").message
    assert finding(catalogue, "images-unlabelled") is None
    assert catalogue.manifest["patient_id"].is_unique
    assert finding(catalogue, "patients-unknown").severity == "warning"


def test_names_are_joined_by_stem_between_folders_that_may_be_nested(base):
    row = rows_of(read_mshf(base)).loc["DR-XJU-2"]
    assert row["path"] == "Original/DR-XJU/DR-XJU-2.jpg"
    assert row["split"] in ("train", "val")
    assert items(read_mshf(base), "endings-differ") == ("DR-XJU-2", "DR-XJU-3")
    (base / "Original" / "CFP").mkdir()
    (base / "Original" / "DR-XJU").rename(base / "Original" / "CFP" / "DR-XJU")
    assert finding(read_mshf(base), "images-missing") is None
    (base / "Original" / "CFP" / "DR-XJU" / "DR-XJU-2.jpg").unlink()
    assert rows_of(read_mshf(base)).loc["DR-XJU-2", "path"] == "AI-use/train/DR-XJU-2.png"


def touch(path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_split_of_the_paper_with_and_without_the_official_folders(tmp_path, monkeypatch):
    # Empty files suffice: images are not read here. 802 in train and test as published: 642 and 160.
    monkeypatch.setattr("tests.data.layouts.write_image", touch)
    base = write_mshf(tmp_path, groups=FULL | {"UWF-mosaic": 3})
    train, test = base / "AI-use" / "train", base / "AI-use" / "test"
    for path in sorted(test.glob("[!U]*"))[160:]:
        path.rename(train / path.name)
    for path in sorted(train.glob("Local*"))[: 160 - len(list(test.glob("[!U]*")))]:
        path.rename(test / path.name)
    official = read_mshf(base)
    published = {path.stem for path in test.glob("[!U]*")}
    assert set(official.manifest.loc[official.manifest["split"] == "test", "image_id"]) == published
    for path in (base / "AI-use").glob("*/*"):
        path.unlink()
    dealt = read_mshf(base)
    for catalogue in (official, dealt):
        assert catalogue.manifest["split"].value_counts().to_dict() == {"train": 577, "val": 65, "test": 160}
    assert finding(official, "own-splits") is None
    assert finding(dealt, "own-splits").severity == "warning"
    # Stratified by the three details together: every combination has a tenth in val, give or take an image.
    training = dealt.manifest[dealt.manifest["split"] != "test"].assign(val=dealt.manifest["split"] == "val")
    cells = training.groupby(list(DETAILS))["val"]
    assert len(cells) == 8
    assert (cells.sum() - cells.size() * 65 / 642).abs().max() < 1.5
    assert not read_mshf(base, seed=1).manifest["split"].equals(dealt.manifest["split"])


def test_partial_download_keeps_the_official_split(base):
    for part in ("train", "test"):
        for path in (base / "AI-use" / part).glob("Local*"):
            path.unlink()
    (base / "Original" / "Local1" / "Local1-1.jpg").unlink()
    catalogue = read_mshf(base)
    # Their split is unknown now, and a guess could put a test image into training.
    assert len(items(catalogue, "split-unknown")) == 8
    manifest = to_dataset(catalogue).manifest
    assert len(manifest) == 16
    assert not manifest["image_id"].str.startswith("Local").any()
    with refused("8 of 24 labelled images are missing"):
        to_dataset(catalogue, strict=True)


def test_image_in_both_parts_is_an_error(base):
    path = base / "AI-use" / "test" / "DR-XJU-5.jpg"
    (base / "AI-use" / "train" / "DR-XJU-5.jpg").write_bytes(path.read_bytes())
    with refused("1 images lie in AI-use/train and in AI-use/test, e.g. DR-XJU-5"):
        to_dataset(read_mshf(base))


def test_titles_are_tolerant_and_blank_scores_stay_unknown(base):
    cells = pd.read_excel(base / READERS, header=None, dtype=object)
    cells.iloc[1] = [f" {str(c).upper()} " if isinstance(c, str) else c for c in cells.iloc[1]]
    cells.iloc[1, 4] = "Overall  quality"
    cells.loc[cells[0] == "DR-ZJU-1.jpg", [1, 6, 11]] = [None, 0, 1]  # illumination
    cells.to_excel(base / "Individual_scores.xlsx", header=False, index=False)  # as a tidy user would call it
    (base / READERS).unlink()
    catalogue = read_mshf(base)
    assert np.isnan(rows_of(catalogue).loc["DR-ZJU-1", "illumination"])  # one to one
    assert items(catalogue, "scores-missing") == ("DR-ZJU-1",)
    assert (catalogue.ratings["image_id"] == "DR-ZJU-1").sum() == 11
