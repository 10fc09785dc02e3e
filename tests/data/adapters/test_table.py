from pathlib import Path
from unicodedata import normalize

import pandas as pd
import pytest
import yaml

from riqa.data.adapters.table import DESCRIPTION, read_table
from riqa.data.catalogue import to_dataset
from tests.data.expect import finding, items, refused, rows_of
from tests.data.layouts import TABLE_YAML, write_image, write_table

PAGE = (Path(__file__).parents[3] / "book" / "your_photographs.md").read_text(encoding="utf-8")
GRADED = {"image": "photo", "overall": "grade"}


def describe(root, **changes):
    """Change keys of the description; None removes one."""
    description = yaml.load(TABLE_YAML, Loader=yaml.BaseLoader) | changes
    kept = {key: value for key, value in description.items() if value is not None}
    (root / DESCRIPTION).write_text(yaml.safe_dump(kept))


def edit(root, **columns):
    frame = pd.read_csv(root / "labels.csv", dtype=str).assign(**columns)
    frame.to_csv(root / "labels.csv", index=False)


def assert_refused(root, *parts):
    with refused(*parts):
        read_table(root)


@pytest.fixture
def root(tmp_path):
    return write_table(tmp_path)


def test_columns_and_codes_are_translated(root):
    dataset = to_dataset(read_table(root))
    rows = rows_of(dataset)
    columns = ["path", "dataset", "patient_id", "eye", "view", "source", "overall", "clarity"]
    # Patient 2 has grade C, which is reject, and is not sharp; nothing is said of illumination.
    wanted = ["photos/002L.jpg", "clinic", "p2", "left", "unknown", "two", 0, 0]
    assert rows.loc["002L", columns].tolist() == wanted
    assert rows["illumination"].isna().all()
    assert rows.loc["001R", ["overall", "clarity"]].tolist() == [1, 1]
    assert (dataset.n_classes, dataset.citation, dataset.licence) == (3, "not given", "ours")
    renamed = read_table(root, name="north")
    assert (renamed.name, set(renamed.manifest["dataset"])) == ("north", {"north"})


def test_patients_are_dealt_60_10_30_or_val_is_held_out_of_a_given_train(root):
    dealt = read_table(root)
    assert dealt.manifest["split"].value_counts().to_dict() == {"train": 24, "test": 12, "val": 4}
    assert dealt.manifest.groupby("patient_id")["split"].nunique().max() == 1
    assert "60, 10 and 30 %" in finding(dealt, "own-splits").message
    codes = {"overall": {"A": "good", "B": "usable", "C": "reject"}}
    codes["split"] = {"tr": "train", "te": "test", "va": "val"}
    describe(root, columns=GRADED | {"patient_id": "person", "split": "part"}, codes=codes)
    edit(root, part=["tr"] * 20 + ["te"] * 20)
    catalogue = read_table(root)
    assert catalogue.manifest["split"].value_counts().to_dict() == {"test": 20, "train": 18, "val": 2}
    assert set(catalogue.manifest["split"][20:]) == {"test"}
    assert "no val" in finding(catalogue, "own-splits").message
    edit(root, part=["tr"] * 26 + ["va"] * 4 + ["te"] * 10)
    catalogue = read_table(root)
    assert catalogue.manifest["split"].tolist() == ["train"] * 26 + ["val"] * 4 + ["test"] * 10
    assert finding(catalogue, "own-splits") is None
    edit(root, part=["tr"] * 26 + ["va"] * 4 + ["te"] * 9 + [None])
    assert_refused(root, "image 019L has no split")


def test_unknown_patients_stand_alone_with_a_warning_and_details_alone_need_no_classes(root):
    describe(root, columns=GRADED, codes={"overall": {"A": 2, "B": 1, "C": 0}})
    catalogue = read_table(root)
    assert catalogue.manifest["patient_id"].is_unique
    assert finding(catalogue, "patients-unknown").severity == "warning"
    assert set(catalogue.manifest["eye"]) == {"unknown"}
    describe(root, n_classes=None, columns={"image": "photo", "clarity": "sharp"})
    dataset = to_dataset(read_table(root))
    assert dataset.n_classes is None
    assert set(dataset.manifest["clarity"]) == {0, 1}


@pytest.mark.parametrize(
    ("codes", "cells", "wanted"),
    [
        # riqa's names and codes need none; case and zeros do not matter
        (None, ["0", "1"], [0, 1]),
        (None, ["bad", "good"], [0, 1]),
        (None, ["1.0", None], [1, None]),
        (None, ["Good", "BAD"], [1, 0]),
        (None, ["1,0", "0,00"], [1, 0]),
        ({"true": "good", "false": "bad"}, ["TRUE", "False"], [1, 0]),
        ({"1.0": "good", "0": "bad"}, ["1", "0.0"], [1, 0]),
        ({"a": "good", "A": "bad"}, ["a", "A"], [1, 0]),  # where the code tells them apart
    ],
)
@pytest.mark.parametrize(("label", "column"), [("overall", "grade"), ("clarity", "sharp")])
def test_cells_may_differ_from_the_code_in_case_and_zeros(root, label, column, codes, cells, wanted):
    columns = {"image": "photo", label: column}
    describe(root, n_classes=2, columns=columns, codes=codes and {label: codes})
    edit(root, **{column: cells * 20})
    found = read_table(root).manifest[label][:2]
    assert [None if pd.isna(value) else value for value in found] == wanted


def test_missing_labels_are_unlabelled_but_one_is_needed(root):
    edit(root, grade=["A", None, "NA", ""] * 10)
    assert read_table(root).manifest["overall"][:4].isna().tolist() == [False, True, True, True]
    describe(root, columns=GRADED, codes=None)
    edit(root, grade=None)
    assert_refused(root, "labels no image: column(s) grade are empty")


def test_the_description_may_be_saved_in_any_usual_encoding_and_the_table_in_any_kind(root):
    text = TABLE_YAML.replace("licence: ours", "licence: der Augenklinik Köln")
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        (root / DESCRIPTION).write_text(text, encoding=encoding)
        assert read_table(root).licence == "der Augenklinik Köln"
    frame, wanted = pd.read_csv(root / "labels.csv"), read_table(root).manifest
    frame.to_parquet(root / "labels.parquet")
    frame.to_excel(root / "labels.xlsx", index=False)
    for name in ("labels.parquet", "labels.xlsx"):
        describe(root, labels=name)
        pd.testing.assert_frame_equal(read_table(root).manifest, wanted, check_dtype=False)


def test_images_with_endings_backslashes_and_equal_names_in_two_folders(root):
    names = [f"one\\{k}.jpg" for k in range(20)] + [f"two/{k}.PNG" for k in range(20)]
    edit(root, photo=names)
    for name in (*names, "two/77.jpg"):
        write_image(root / name.replace("\\", "/"))
    (root / "one" / "3.jpg").rename(root / "one" / "3.png")  # joined by stem, as everywhere
    catalogue = read_table(root)
    paths = catalogue.manifest.set_index("image_id")["path"]
    assert paths[["one/3", "two/3"]].tolist() == ["one/3.png", "two/3.PNG"]
    assert finding(catalogue, "images-missing") is None
    assert items(catalogue, "images-unlabelled") == ("two/77",)


def test_both_endings_of_a_stem_are_two_images_and_decomposed_names_are_composed(root):
    names = [f"photos/{k}.{ending}" for k in range(20) for ending in ("tif", "jpg")]
    edit(root, photo=names)
    for name in names:
        write_image(root / name)
    manifest = to_dataset(read_table(root)).manifest
    assert manifest["path"].tolist() == manifest["image_id"].tolist() == names
    names = [f"Größe_{k}" for k in range(40)]
    edit(root, photo=[normalize("NFD", name) for name in names])
    for name in names:
        write_image(root / "new" / "scans" / f"{name}.jfif")
    table = read_table(root).manifest
    assert table["image_id"].tolist() == names
    assert table["path"].tolist() == [f"new/scans/{name}.jfif" for name in names]


def test_a_dataset_of_endings_that_are_not_read_is_not_called_empty(root):
    for path in (root / "photos").iterdir():
        path.rename(path.with_suffix(".heic"))
    catalogue = read_table(root)
    with refused("none of the 40 labelled images that can be read: ", "000R.heic, and"):
        to_dataset(catalogue)
    assert finding(catalogue, "images-missing") is None


SOME = [f"photos/{k}" for k in range(38)]


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        ({"grade": ["A"] * 39 + ["D"]}, ["column grade: image 019L has D; legal: A, B, C", DESCRIPTION]),
        ({"side": ["OD"] * 39 + ["both"]}, ["column side: image 019L has both; legal: OD, OS"]),
        ({"photo": "photos/000R"}, ["image photos/000R is named twice"]),
        (
            {"photo": ["photos/77", None, *SOME]},
            ["row 3 has nothing in column photo, which is no path of an"],
        ),
        *(
            ({"photo": [name, "photos/77", *SOME]}, [f"{name} is no path of an image below"])
            for name in ("/etc/photo.jpg", "../photo.jpg", "C:/photo.jpg")
        ),
    ],
)
def test_wrong_tables_are_refused(root, columns, parts):
    edit(root, **columns)
    assert_refused(root, "labels.csv", *parts)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"labels": "other.csv"}, "other.csv does not exist"),
        ({"columns": {"image": "photo", "overall": "Grade"}}, "lacks the column(s) Grade (it has: photo"),
        ({"columns": {"image": "photo", "overal": "grade"}}, "columns has the unknown key overal; legal: image, p"),
        ({"columns": {"image": "photo"}}, "columns must name image and one of overall"),
        ({"columns": {"image": ["photo"], "overall": "grade"}}, "columns: image must be the name of a column"),
        ({"columns": {"image": "photo", "overall": ""}}, "columns: overall must be the name of a column"),
        ({"columns": ["photo"]}, "columns must be a mapping"),
        ({"n_classes": 4}, "n_classes must be 2 or 3 when there is overall, got 4"),
        ({"codes": {"overall": {"A": "excellent"}}}, "codes of overall must map values to reject, usable, good"),
        ({"name": None}, "lacks name; an example is in book/your_photographs.md"),
        ({"name": "Klinik Köln"}, "name: 'Klinik Köln' cannot be the name of a set; legal: a letter"),
        ({"name": ["clinic"]}, "name must be text"),
        ({"licens": "ours"}, "dataset.yaml has the unknown key licens; legal: name, labels"),
    ],
)  # fmt: skip
def test_wrong_descriptions_are_refused(root, changes, part):
    describe(root, **changes)
    assert_refused(root, part)


def test_what_is_no_description_is_refused(root):
    for text in ("[1, 2]", "a: [", "", "name: a\nname: b"):
        (root / DESCRIPTION).write_text(text)
        assert_refused(root, DESCRIPTION)
    (root / DESCRIPTION).unlink()
    assert_refused(root, "dataset.yaml does not exist; it names the table of labels and its columns")


def test_the_example_of_the_page_works(tmp_path):
    (tmp_path / DESCRIPTION).write_text(PAGE.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    rows = [[f"{k}.jpg", k, "OD", "ABC"[k % 3], ["yes", "no"][k % 2]] for k in range(20)]
    table = pd.DataFrame(rows, columns=["file", "patient", "eye", "grade", "sharp"])
    table.to_csv(tmp_path / "labels.csv", index=False)
    for name in table["file"]:
        write_image(tmp_path / name)
    dataset = to_dataset(read_table(tmp_path))
    assert dataset.manifest["overall"].tolist()[:3] == [2, 1, 0]
    assert dataset.manifest["clarity"].tolist()[:2] == [1, 0]
    assert (set(dataset.manifest["eye"]), dataset.name) == ({"right"}, "clinic")
