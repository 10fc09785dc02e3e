from unicodedata import normalize

import pandas as pd
import pytest
import yaml

from riqa.data.catalogue import to_dataset
from riqa.data.table import DESCRIPTION, EXAMPLE, read_table
from riqa.errors import InputError
from tests.data.layouts import TABLE_YAML, write_image, write_table


def found(catalogue, code):
    """Return the finding of a code, or None."""
    return next((finding for finding in catalogue.findings if finding.code == code), None)


def describe(root, **changes):
    """Change keys of the description; None removes one."""
    description = yaml.load(TABLE_YAML, Loader=yaml.BaseLoader) | changes
    kept = {key: value for key, value in description.items() if value is not None}
    (root / DESCRIPTION).write_text(yaml.safe_dump(kept))


def edit(root, **columns):
    frame = pd.read_csv(root / "labels.csv", dtype=str).assign(**columns)
    frame.to_csv(root / "labels.csv", index=False)


@pytest.fixture
def root(tmp_path):
    return write_table(tmp_path)


def test_columns_and_codes_are_translated(root):
    dataset = to_dataset(read_table(root))
    row = dataset.manifest.set_index("image_id").loc["002L"]
    assert row[["path", "dataset", "patient_id"]].tolist() == ["photos/002L.jpg", "clinic", "p2"]
    assert row[["eye", "view", "source"]].tolist() == ["left", "unknown", "two"]
    # Patient 2 has grade C, which is reject, and is not sharp; nothing is said of illumination.
    assert row[["overall", "clarity"]].tolist() == [0, 0]
    assert dataset.manifest["illumination"].isna().all()
    assert dataset.manifest.set_index("image_id").loc["001R", ["overall", "clarity"]].tolist() == [1, 1]
    assert (dataset.n_classes, dataset.citation, dataset.licence) == (3, "not given", "ours")


def test_patients_are_dealt_60_10_30_and_that_is_said(root):
    catalogue = read_table(root)
    assert catalogue.table["split"].value_counts().to_dict() == {"train": 24, "test": 12, "val": 4}
    assert catalogue.table.groupby("patient_id")["split"].nunique().max() == 1
    assert found(catalogue, "own-splits") is not None
    assert not read_table(root, seed=1).table["split"].equals(catalogue.table["split"])


def test_given_split_is_kept_and_val_held_out_of_train(root):
    columns = {"image": "photo", "patient_id": "person", "overall": "grade", "split": "part"}
    codes = {"overall": {"A": "good", "B": "usable", "C": "reject"}, "split": {"tr": "train", "te": "test"}}
    describe(root, columns=columns, codes=codes)
    edit(root, part=["tr"] * 20 + ["te"] * 20)
    catalogue = read_table(root)
    assert catalogue.table["split"].value_counts().to_dict() == {"test": 20, "train": 18, "val": 2}
    assert set(catalogue.table["split"][20:]) == {"test"}
    assert "no val" in found(catalogue, "own-splits").message
    codes["split"]["va"] = "val"
    describe(root, columns=columns, codes=codes)
    edit(root, part=["tr"] * 26 + ["va"] * 4 + ["te"] * 10)
    catalogue = read_table(root)
    assert catalogue.table["split"].tolist() == ["train"] * 26 + ["val"] * 4 + ["test"] * 10
    assert found(catalogue, "own-splits") is None
    edit(root, part=["tr"] * 26 + ["va"] * 4 + ["te"] * 9 + [None])
    assert_refused(root, "image 019L has no split")


def test_unknown_patients_stand_alone_with_a_warning(root):
    describe(
        root, columns={"image": "photo", "overall": "grade"}, codes={"overall": {"A": 2, "B": 1, "C": 0}}
    )
    catalogue = read_table(root)
    assert catalogue.table["patient_id"].is_unique
    assert found(catalogue, "patients-unknown").severity == "warning"
    assert set(catalogue.table["eye"]) == {"unknown"}


def test_details_alone_need_no_classes(root):
    describe(root, n_classes=None, columns={"image": "photo", "clarity": "sharp"})
    dataset = to_dataset(read_table(root))
    assert dataset.n_classes is None
    assert set(dataset.manifest["clarity"]) == {0, 1}


@pytest.mark.parametrize(
    ("cells", "wanted"), [(["0", "1"], [0, 1]), (["bad", "good"], [0, 1]), (["1.0", None], [1, None])]
)
def test_values_named_or_coded_as_in_riqa_need_no_codes(root, cells, wanted):
    describe(root, n_classes=2, columns={"image": "photo", "overall": "grade"}, codes=None)
    edit(root, grade=cells * 20)
    overall = read_table(root).table["overall"]
    assert [None if pd.isna(value) else value for value in overall[:2]] == wanted


@pytest.mark.parametrize(
    ("codes", "cells", "wanted"),
    [
        (None, ["Good", "BAD"], [1, 0]),
        (None, ["1,0", "0,00"], [1, 0]),
        ({"true": "good", "false": "bad"}, ["TRUE", "False"], [1, 0]),
        ({"1.0": "good", "0": "bad"}, ["1", "0.0"], [1, 0]),
        ({"a": "good", "A": "bad"}, ["a", "A"], [1, 0]),  # where the code tells them apart
    ],
)
def test_cells_may_differ_from_the_code_in_case_and_zeros(root, codes, cells, wanted):
    describe(root, columns={"image": "photo", "clarity": "sharp"}, codes=codes and {"clarity": codes})
    edit(root, sharp=cells * 20)
    assert read_table(root).table["clarity"][:2].tolist() == wanted


def test_missing_labels_are_unlabelled_but_one_is_needed(root):
    edit(root, grade=["A", None, "NA", ""] * 10)
    overall = read_table(root).table["overall"]
    assert overall[:4].isna().tolist() == [False, True, True, True]
    describe(root, columns={"image": "photo", "overall": "grade"}, codes=None)
    edit(root, grade=None)
    assert_refused(root, "labels no image: column(s) grade are empty")


def test_the_description_may_be_saved_in_any_usual_encoding(root):
    text = TABLE_YAML.replace("licence: ours", "licence: der Augenklinik Köln")
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        (root / DESCRIPTION).write_text(text, encoding=encoding)
        assert read_table(root).licence == "der Augenklinik Köln"


def test_a_set_is_called_as_its_description_says_or_as_it_is_asked_for(root):
    assert set(read_table(root).table["dataset"]) == {"clinic"}
    catalogue = read_table(root, name="north")
    assert (catalogue.name, set(catalogue.table["dataset"])) == ("north", {"north"})


def test_images_with_endings_backslashes_and_equal_names_in_two_folders(root):
    names = [f"one\\{k}.jpg" for k in range(20)] + [f"two/{k}.PNG" for k in range(20)]
    edit(root, photo=names)
    for name in names:
        write_image(root / name.replace("\\", "/"))
    (root / "one" / "3.jpg").rename(root / "one" / "3.png")  # joined by stem, as everywhere
    write_image(root / "two" / "77.jpg")
    catalogue = read_table(root)
    table = catalogue.table.set_index("image_id")
    assert table.loc["one/3", "path"] == "one/3.png"
    assert table.loc["two/3", "path"] == "two/3.PNG"
    assert found(catalogue, "images-missing") is None
    assert found(catalogue, "images-unlabelled").items == ("two/77",)


def test_both_endings_of_a_stem_are_two_images_of_their_own_names(root):
    names = [f"photos/{k}.{ending}" for k in range(20) for ending in ("tif", "jpg")]
    edit(root, photo=names)
    for name in names:
        write_image(root / name)
    manifest = to_dataset(read_table(root)).manifest
    assert manifest["path"].tolist() == manifest["image_id"].tolist() == names


def test_names_from_another_system_without_folder_and_with_any_ending(root):
    names = [f"Größe_{k}" for k in range(40)]
    edit(root, photo=[normalize("NFD", name) for name in names])
    for name in names:
        write_image(root / "new" / "scans" / f"{name}.jpg")
        (root / "new" / "scans" / f"{name}.jpg").rename(root / "new" / "scans" / f"{name}.jfif")
    catalogue = read_table(root)
    assert catalogue.table["image_id"].tolist() == names
    assert catalogue.table["path"].tolist() == [f"new/scans/{name}.jfif" for name in names]
    assert found(catalogue, "images-elsewhere").items[0] == "Größe_0 is new/scans/Größe_0.jfif"
    write_image(root / "old" / "Größe_7.png")
    assert_refused(root, "Größe_7 may be any of 2 files (new/scans/Größe_7.jfif, old/Größe_7.png)")


def test_a_dataset_of_endings_that_are_not_read_is_not_called_empty(root):
    for path in (root / "photos").iterdir():
        path.rename(path.with_suffix(".heic"))
    with pytest.raises(
        InputError, match=r"none of the 40 labelled images that can be read: .*000R.heic, and"
    ):
        to_dataset(read_table(root))
    assert found(read_table(root), "images-missing") is None


def test_parquet_and_excel_tables(root):
    frame = pd.read_csv(root / "labels.csv")
    wanted = read_table(root).table
    frame.to_parquet(root / "labels.parquet")
    frame.to_excel(root / "labels.xlsx", index=False)
    for name in ("labels.parquet", "labels.xlsx"):
        describe(root, labels=name)
        pd.testing.assert_frame_equal(read_table(root).table, wanted, check_dtype=False)


def assert_refused(root, *parts):
    """Check that reading fails with one line that holds all parts."""
    with pytest.raises(InputError) as caught:
        read_table(root)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_values_outside_their_code_name_file_image_and_legal_values(root):
    edit(root, grade=["A"] * 39 + ["D"])
    assert_refused(root, "labels.csv: column grade: image 019L has D; legal: A, B, C", "dataset.yaml")
    edit(root, grade="A", side=["OD"] * 39 + ["both"])
    assert_refused(root, "column side: image 019L has both; legal: OD, OS")


def test_wrong_tables_are_refused(root):
    edit(root, photo="photos/000R")
    assert_refused(root, "labels.csv: image photos/000R is named twice")
    for name in ("/etc/photo.jpg", "../photo.jpg", "C:/photo.jpg"):
        edit(root, photo=[name, *[f"photos/{k}" for k in range(39)]])
        assert_refused(root, f"{name} is no path of an image below")
    edit(root, photo=["photos/77", None, *[f"photos/{k}" for k in range(38)]])
    assert_refused(root, "row 3 has nothing in column photo, which is no path of an image")
    describe(root, labels="other.csv")
    assert_refused(root, "other.csv does not exist")
    describe(root, columns={"image": "photo", "overall": "Grade"})
    assert_refused(root, "lacks the column(s) Grade", "it has: photo")


def test_wrong_descriptions_are_refused(root):
    describe(root, columns={"image": "photo", "overal": "grade"})
    assert_refused(root, "dataset.yaml: columns has the unknown key overal; legal: image, patient_id")
    describe(root, columns={"image": "photo"})
    assert_refused(root, "columns must name image and one of overall")
    describe(root, n_classes=4)
    assert_refused(root, "n_classes must be 2 or 3 when there is overall, got 4")
    describe(root, codes={"overall": {"A": "excellent"}})
    assert_refused(root, "codes of overall must map values to reject, usable, good")
    describe(root, name=None)
    assert_refused(root, "dataset.yaml lacks name", "EXAMPLE")
    describe(root, name="Klinik Köln")
    assert_refused(root, "dataset.yaml: name: 'Klinik Köln' cannot be the name of a set; legal: a letter")
    describe(root, name=["clinic"])
    assert_refused(root, "dataset.yaml: name must be text")
    describe(root, columns={"image": ["photo"], "overall": "grade"})
    assert_refused(root, "dataset.yaml: columns: image must be the name of a column")
    describe(root, columns={"image": "photo", "overall": ""})
    assert_refused(root, "columns: overall must be the name of a column")
    for text in ("[1, 2]", "a: [", ""):
        (root / DESCRIPTION).write_text(text)
        assert_refused(root, "dataset.yaml")
    (root / DESCRIPTION).unlink()
    assert_refused(root, "dataset.yaml does not exist; it names the table of labels and its columns")


def test_example_works(tmp_path):
    (tmp_path / DESCRIPTION).write_text(EXAMPLE)
    rows = [
        {"file": f"{k}.jpg", "patient": k, "eye": "OD", "grade": "ABC"[k % 3], "sharp": ["yes", "no"][k % 2]}
        for k in range(20)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    for row in rows:
        write_image(tmp_path / row["file"])
    manifest = to_dataset(read_table(tmp_path)).manifest
    assert manifest["overall"].tolist()[:3] == [2, 1, 0]
    assert manifest["clarity"].tolist()[:2] == [1, 0]
    assert set(manifest["eye"]) == {"right"}
