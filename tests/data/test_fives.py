import pytest

from riqa.data.audit import audit
from riqa.data.catalogue import to_dataset
from riqa.data.fives import read_fives
from riqa.errors import InputError
from riqa.labels import DETAILS
from tests.data.layouts import FIVES_ROWS, write_fives


def found(catalogue, code):
    """Return the findings of a code."""
    return [finding for finding in catalogue.findings if finding.code == code]


@pytest.fixture
def base(tmp_path):
    return write_fives(tmp_path)


def test_folder_or_its_parent(base):
    for root in (base, base.parent):
        dataset = to_dataset(read_fives(root), strict=True)
        assert dataset.root == base
        assert dataset.n_classes is None


def test_each_title_is_the_detail_that_it_is_taken_for(tmp_path):
    # One image per title is bad in that title alone; the columns stand in another order in the second folder.
    rows = {"train": FIVES_ROWS["train"], "test": [("A", 1, 0, 1, 1), ("D", 2, 1, 0, 1), ("N", 3, 1, 1, 0)]}
    turned = {split: [(n, d, lc, ic, b) for d, n, ic, b, lc in table] for split, table in rows.items()}
    other = write_fives(
        tmp_path / "b", turned, titles=("Number", "Disease", "LC", "IC", "Blur"), images=False
    )
    for folder in (write_fives(tmp_path / "a", rows), other):
        table = read_fives(folder).table.set_index("image_id")
        assert table.loc["test_1_A", list(DETAILS)].tolist() == [0, 1, 1]
        assert table.loc["test_2_D", list(DETAILS)].tolist() == [1, 0, 1]
        assert table.loc["test_3_N", list(DETAILS)].tolist() == [1, 1, 0]


def test_what_is_assumed_is_said_with_the_counts_that_follow(base):
    (finding,) = found(read_fives(base), "code-assumed")
    assert finding.severity == "warning"
    # By hand: of train every second, all, and four in five are 1; of test two each.
    assert "IC as illumination, 1 in 12, Blur as clarity, 1 in 22, LC as contrast, 1 in 18 of 24 images" in (
        finding.message
    )
    assert finding in audit("fives", base).findings


def test_parts_are_the_publishers_and_a_tenth_of_training_is_held_out(base):
    table = read_fives(base).table
    assert table["split"].value_counts().to_dict() == {"train": 18, "test": 4, "val": 2}
    assert set(table.loc[table["split"] == "test", "image_id"]) == {
        "test_1_A",
        "test_2_D",
        "test_3_G",
        "test_4_N",
    }
    held_out = {tuple(read_fives(base, seed=k).table.query("split == 'val'")["image_id"]) for k in range(4)}
    assert len(held_out) > 1


def test_the_same_number_is_another_photograph_in_each_part(base):
    table = read_fives(base).table.set_index("image_id")
    assert table.loc["train_1_A", "path"] == "train/Original/1_A.png"
    assert table.loc["test_1_A", "path"] == "test/Original/1_A.png"
    assert table["patient_id"].is_unique
    assert found(read_fives(base), "patients-unknown")[0].severity == "warning"


def test_vessels_and_stray_files_are_no_photographs(base):
    catalogue = read_fives(base)
    assert not found(catalogue, "images-unlabelled")
    (passed,) = found(catalogue, "passed-over")
    assert passed.items == ("train/Original/Thumbs.db",)
    assert not catalogue.table["path"].str.contains("Ground").any()


def test_endings_may_be_in_any_case_and_letters_too(tmp_path):
    rows = FIVES_ROWS | {"test": [("g", 3, 0, 0, 0)]}
    base = write_fives(tmp_path, rows, images=False)
    for split, name in (("train", "1_A.PNG"), ("train", "6_D.Png"), ("test", "3_G.JPG")):
        (base / split / "Original").mkdir(parents=True, exist_ok=True)
        (base / split / "Original" / name).touch()
    paths = read_fives(base).table.set_index("image_id")["path"]
    assert paths.dropna().to_dict() == {
        "train_1_A": "train/Original/1_A.PNG",
        "train_6_D": "train/Original/6_D.Png",
        "test_3_G": "test/Original/3_G.JPG",
    }


def test_missing_images_are_named(base):
    (base / "test" / "Original" / "2_D.png").unlink()
    (missing,) = found(read_fives(base), "images-missing")
    assert (missing.severity, missing.items) == ("warning", ("2_D",))
    assert missing.message.startswith("test: 1 of 4 labelled images")


def test_the_audit_compares_with_the_published_numbers(base):
    report = audit("fives", base, images=False)
    assert report.usable
    (training, test) = [finding for finding in report.findings if finding.code == "counts-differ"]
    assert "all: 4 labelled, 200 published" in training.message
    assert "all: 20 labelled, 600 published" in test.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": FIVES_ROWS | {"test": [("A", 1, 2, 1, 1)]}}, "image 1_A has IC 2; legal: 0, 1"),
        ({"rows": FIVES_ROWS | {"test": [("A", 1, 1, None, 1)]}}, "image 1_A has Blur nan; legal: 0, 1"),
        ({"rows": FIVES_ROWS | {"test": [("A", 1, 1, 1, "good")]}}, "image 1_A has LC good; legal: 0, 1"),
        (
            {"titles": ("Disease", "Number", "IC", "Blur", "C")},
            r"lacks the column\(s\) LC \(it has: Disease, ",
        ),
        ({"sheets": {"train": "Train", "test": "Sheet2"}}, r"no sheet Test \(it has: Train, Sheet2\)"),
        (
            {"rows": FIVES_ROWS | {"test": [("X", 1, 1, 1, 1)]}},
            "sheet Test, row 2 has Disease X and Number 1",
        ),
        (
            {"rows": FIVES_ROWS | {"test": [("A", 0, 1, 1, 1)]}},
            "row 2 has Disease A and Number 0; legal: A, D",
        ),
        ({"rows": FIVES_ROWS | {"test": [("A", "7a", 1, 1, 1)]}}, "row 2 has Disease A and Number 7a; legal"),
        ({"rows": FIVES_ROWS | {"test": [("A", 1, 1, 1, 1)] * 2}}, "image Test 1_A is labelled twice"),
    ],
)
def test_sheets_that_cannot_be_understood_are_refused_in_a_line(tmp_path, change, message):
    with pytest.raises(InputError, match=message) as caught:
        read_fives(write_fives(tmp_path, images=False, **change))
    assert "\n" not in str(caught.value)
    assert "Quality Assessment.xlsx" in str(caught.value)


def test_sheets_are_found_in_any_case(tmp_path):
    base = write_fives(tmp_path, images=False, sheets={"train": "train", "test": " TEST "})
    (base / "Quality Assessment.xlsx").rename(base / "quality assessment.XLSX")
    assert len(read_fives(base).table) == 24


def test_folder_without_scores_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no Quality Assessment.xlsx; give the folder FIVES A Fundus"):
        read_fives(tmp_path)
