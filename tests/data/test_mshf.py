import numpy as np
import pandas as pd
import pytest

from riqa.data.catalogue import to_dataset
from riqa.data.mshf import read_mshf
from riqa.data.mshf_scores import DIMENSIONS as SCORED
from riqa.errors import InputError
from riqa.labels import DETAILS
from tests.data.layouts import DIMENSIONS, MSHF_GROUPS, mshf_names, mshf_scores, write_mshf

FULL = {"DR-XJU": 235, "DR-ZJU": 187, "Glaucoma": 52, "Healthy": 26, "Local1": 150, "Local2": 152}


def found(catalogue, code):
    """Return the finding of a code, or None."""
    return next((finding for finding in catalogue.findings if finding.code == code), None)


@pytest.fixture
def base(tmp_path):
    return write_mshf(tmp_path)


def test_folder_or_its_parent(base):
    for root in (base, base.parent):
        dataset = to_dataset(read_mshf(root))
        assert dataset.root == base
        assert all((dataset.root / path).is_file() for path in dataset.manifest["path"])
        assert dataset.n_classes == 2


def test_agreed_scores_are_labels_read_by_column_name(tmp_path):
    agreed = {name: (1, 0, 1, 0) for name in mshf_names()}  # in the order of DIMENSIONS
    for folder, order in enumerate([DIMENSIONS, ("overall", "contrast", "clarity", "illumination")]):
        base = write_mshf(tmp_path / str(folder), agreed=agreed, order=order)
        table = read_mshf(base).table
        labels = table.loc[table["source"] != "DR-ZJU", list(DIMENSIONS)].drop_duplicates()
        assert labels.to_numpy().tolist() == [[1, 0, 1, 0]]


def test_all_zero_sheet_is_no_label_and_readers_decide_instead(base):
    catalogue = read_mshf(base)
    table = catalogue.table.set_index("image_id")
    readers = mshf_scores(mshf_names())
    for k in range(1, MSHF_GROUPS["DR-ZJU"] + 1):
        votes = readers[f"DR-ZJU-{k}.jpg"].sum(axis=0)
        assert table.loc[f"DR-ZJU-{k}", list(DIMENSIONS)].tolist() == (votes >= 2).astype(float).tolist()
    assert found(catalogue, "all-zero-sheet").items == ("DR-ZJU",)
    assert found(catalogue, "readers-majority").items == tuple(f"DR-ZJU-{k}" for k in range(1, 6))
    # Nor does that sheet, which lists every image, touch another group.
    other = table.loc["Local1-1", list(DIMENSIONS)].tolist()
    assert other == (readers["Local1-1.jpg"].sum(axis=0) >= 2).astype(float).tolist()


def test_sheet_of_zeros_about_its_own_group_is_a_label(tmp_path):
    agreed = {name: (0, 0, 0, 0) for name in mshf_names()}
    catalogue = read_mshf(write_mshf(tmp_path, agreed=agreed))
    table = catalogue.table
    assert (table.loc[table["source"] == "Local1", list(DIMENSIONS)] == 0).all(axis=None)
    assert found(catalogue, "all-zero-sheet").items == ("DR-ZJU",)
    assert found(catalogue, "agreed-unlike-majority") is not None


def test_images_that_the_agreed_sheet_leaves_out_get_the_majority(tmp_path):
    readers = mshf_scores(mshf_names())
    readers["DR-XJU-2.jpg"] = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0]])
    agreed = {name: (0, 0, 0, 0) for name in mshf_names() if name != "DR-XJU-2.jpg"}
    catalogue = read_mshf(write_mshf(tmp_path, scores=readers, agreed=agreed))
    row = catalogue.table.set_index("image_id").loc["DR-XJU-2", list(DIMENSIONS)]
    assert row.tolist() == [1, 0, 1, 0]
    assert "DR-XJU-2" in found(catalogue, "readers-majority").items


def test_readers_are_kept_apart(base):
    catalogue = read_mshf(base)
    ratings = catalogue.ratings
    assert set(SCORED) == set(DIMENSIONS)
    assert set(ratings["rater"]) == {"reader_1", "reader_2", "reader_3"}
    assert len(ratings) == 24 * 3 * 4  # images without ultra-wide field, readers, dimensions
    assert set(ratings["session"]) == {1}
    wanted = mshf_scores(mshf_names())["Glaucoma-2.jpg"]
    wide = ratings[ratings["image_id"] == "Glaucoma-2"].pivot(index="rater", columns="item", values="score")
    assert wide[list(DIMENSIONS)].to_numpy().tolist() == wanted.tolist()


def test_ultra_wide_field_is_left_out(base):
    catalogue = read_mshf(base)
    assert len(catalogue.table) == 24
    assert not catalogue.table["image_id"].str.startswith("UWF").any()
    assert "5 ultra-wide-field" in found(catalogue, "ultra-wide-left-out").message
    assert found(catalogue, "images-unlabelled") is None
    assert not catalogue.ratings["image_id"].str.startswith("UWF").any()


def test_names_are_joined_by_stem_between_folders(base):
    catalogue = read_mshf(base)
    table = catalogue.table.set_index("image_id")
    assert table.loc["DR-XJU-2", "path"] == "Original/DR-XJU/DR-XJU-2.jpg"
    assert table.loc["DR-XJU-2", "split"] in ("train", "val")
    assert found(catalogue, "endings-differ").items == ("DR-XJU-2", "DR-XJU-3")
    (base / "Original" / "DR-XJU" / "DR-XJU-2.jpg").unlink()
    table = read_mshf(base).table.set_index("image_id")
    assert table.loc["DR-XJU-2", "path"] == "AI-use/train/DR-XJU-2.png"


def test_original_may_be_nested_by_kind_of_camera(base):
    (base / "Original" / "CFP").mkdir()
    (base / "Original" / "DR-XJU").rename(base / "Original" / "CFP" / "DR-XJU")
    assert found(read_mshf(base), "images-missing") is None


def test_official_split_is_kept(base):
    table = read_mshf(base).table
    assert set(table.loc[table["split"] == "test", "image_id"]) == {"DR-XJU-5", "DR-ZJU-5"}
    assert table["split"].value_counts().to_dict() == {"train": 20, "test": 2, "val": 2}


def test_split_of_the_paper_with_and_without_the_official_folders(tmp_path, monkeypatch):
    # Empty files suffice: images are not read here. 802 in train and test as published: 642 and 160.
    monkeypatch.setattr("tests.data.layouts.write_image", lambda path, size: touch(path))
    base = write_mshf(tmp_path, groups=FULL | {"UWF-mosaic": 3}, test_every=5)
    moved = sorted((base / "AI-use" / "test").glob("[!U]*"))[160:]
    for path in moved:
        path.rename(base / "AI-use" / "train" / path.name)
    short = 160 - len(sorted((base / "AI-use" / "test").glob("[!U]*")))
    for path in sorted((base / "AI-use" / "train").glob("Local*"))[:short]:
        path.rename(base / "AI-use" / "test" / path.name)
    official = read_mshf(base)
    assert official.table["split"].value_counts().to_dict() == {"train": 577, "val": 65, "test": 160}
    assert found(official, "own-splits") is None
    for path in (base / "AI-use").glob("*/*"):
        path.unlink()
    dealt = read_mshf(base)
    assert dealt.table["split"].value_counts().to_dict() == {"train": 577, "val": 65, "test": 160}
    assert found(dealt, "own-splits").severity == "warning"
    # Stratified by the three details together: every combination has a tenth in val, give or take an image.
    training = dealt.table[dealt.table["split"] != "test"]
    sizes = training.groupby(list(DETAILS))["split"].agg(
        lambda split: (split == "val").sum() - len(split) * 65 / 642
    )
    assert len(sizes) == 8
    assert sizes.abs().max() < 1.5
    assert not read_mshf(base, seed=1).table["split"].equals(dealt.table["split"])


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_every_image_is_a_patient_and_that_is_said(base):
    catalogue = read_mshf(base)
    assert catalogue.table["patient_id"].is_unique
    assert found(catalogue, "patients-unknown").severity == "warning"


def test_partial_download_keeps_the_official_split(base):
    for part in ("train", "test"):
        for path in (base / "AI-use" / part).glob("Local*"):
            path.unlink()
    (base / "Original" / "Local1" / "Local1-1.jpg").unlink()
    catalogue = read_mshf(base)
    # Their split is unknown now, and a guess could put a test image into training.
    assert len(found(catalogue, "split-unknown").items) == 8
    manifest = to_dataset(catalogue).manifest
    assert len(manifest) == 16
    assert not manifest["image_id"].str.startswith("Local").any()
    with pytest.raises(InputError, match="8 of 24 labelled images are missing"):
        to_dataset(catalogue, strict=True)


def test_image_in_both_parts_is_an_error(base):
    path = base / "AI-use" / "test" / "DR-XJU-5.jpg"
    (base / "AI-use" / "train" / "DR-XJU-5.jpg").write_bytes(path.read_bytes())
    with pytest.raises(InputError, match="1 images lie in AI-use/train and in AI-use/test"):
        to_dataset(read_mshf(base))


def change(path, edit, sheet=None):
    """Rewrite an Excel file with a change to the cells of one sheet."""
    sheets = pd.read_excel(path, sheet_name=None, header=None, dtype=object)
    cells = sheets[sheet or next(iter(sheets))]
    edit(cells)
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        for name, frame in sheets.items():
            frame.to_excel(writer, sheet_name=name, header=False, index=False)


def assert_refused(base, message):
    with pytest.raises(InputError, match=message) as caught:
        read_mshf(base)
    assert "\n" not in str(caught.value)
    assert ".xlsx" in str(caught.value) or "group" in str(caught.value)


def test_scores_that_cannot_be_understood_are_refused(base):
    readers, agreed = base / "Individual_scores.xlsx.xlsx", base / "MSHF_quality_scores.xlsx"
    originals = readers.read_bytes(), agreed.read_bytes()

    def restore():
        readers.write_bytes(originals[0])
        agreed.write_bytes(originals[1])

    change(readers, lambda cells: cells.__setitem__(7, cells[7].where(cells.index != 2, 2)))
    assert_refused(base, "image DR-XJU-1 has clarity 2; legal: 0, 1")
    restore()
    change(readers, lambda cells: cells.__setitem__(2, cells[2].where(cells.index != 1, "sharp")))
    assert_refused(base, "must name each dimension once per expert: illumination 3 times, clarity 2 times")
    restore()
    change(agreed, lambda cells: cells.__setitem__(3, cells[3].where(cells.index != 0, "x")), "Local2")
    assert_refused(base, "sheet Local2 must have one column contrast")
    restore()
    change(
        agreed, lambda cells: cells.__setitem__(0, cells[0].where(cells.index != 1, "Local2-2.jpg")), "Local2"
    )
    assert_refused(base, "image Local2-2 is listed twice")
    restore()
    change(readers, lambda cells: cells.__setitem__(0, cells[0].where(cells.index != 2, "Camera-1.jpg")))
    assert_refused(base, "image Camera-1 is of no known group")
    restore()
    agreed.unlink()
    assert_refused(base, r"MSHF_quality_scores\.xlsx does not exist; download")
    readers.write_text("nothing")
    assert_refused(base, "cannot be read as an Excel file")


def test_titles_are_tolerant_and_blank_scores_stay_unknown(base):
    readers = base / "Individual_scores.xlsx.xlsx"

    def edit(cells):
        cells.iloc[1] = [f" {str(c).upper()} " if isinstance(c, str) else c for c in cells.iloc[1]]
        cells.iloc[1, 4] = "Overall  quality"
        name = cells[0] == "DR-ZJU-1.jpg"
        cells.loc[name, [1, 6]] = [None, 0]  # illumination by reader 1 and 2
        cells.loc[name, 11] = 1

    change(readers, edit)
    readers.rename(base / "Individual_scores.xlsx")  # as a tidy user would call it
    catalogue = read_mshf(base)
    assert np.isnan(catalogue.table.set_index("image_id").loc["DR-ZJU-1", "illumination"])  # one to one
    assert found(catalogue, "scores-missing").items == ("DR-ZJU-1",)
    assert (catalogue.ratings["image_id"] == "DR-ZJU-1").sum() == 11


def test_folder_without_scores_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds neither"):
        read_mshf(tmp_path)
