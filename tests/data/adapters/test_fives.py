import pytest

from riqa.data.adapters.fives import read_fives
from riqa.data.audit import audit
from riqa.data.catalogue import to_dataset
from riqa.labels import DETAILS
from tests.data.expect import finding, items, refused, rows_of
from tests.data.layouts import FIVES_ROWS, write_fives


@pytest.fixture
def base(tmp_path):
    return write_fives(tmp_path)


def test_folder_or_its_parent(base):
    for root in (base, base.parent):
        dataset = to_dataset(read_fives(root), strict=True)
        assert (dataset.root, dataset.n_classes) == (base, None)
    with refused("holds no Quality Assessment.xlsx; give the folder FIVES A Fundus"):
        read_fives(base / "test")
    base = write_fives(base / "other", images=False, sheets=("Train", "Sheet2"))
    with refused("Quality Assessment.xlsx has no sheet Test (it has: Train, Sheet2)"):
        read_fives(base)


def test_each_title_is_the_detail_that_it_is_taken_for(tmp_path):
    # One image per title is bad in that title alone; the columns stand in another order in the second folder.
    rows = {"train": FIVES_ROWS["train"], "test": [("A", 1, 0, 1, 1), ("D", 2, 1, 0, 1), ("N", 3, 1, 1, 0)]}
    turned = {split: [(n, d, lc, ic, b) for d, n, ic, b, lc in table] for split, table in rows.items()}
    titles = ("Number", "Disease", "LC", "IC", "Blur")
    other = write_fives(tmp_path / "b", turned, titles=titles, images=False)
    for folder in (write_fives(tmp_path / "a", rows), other):
        details = rows_of(read_fives(folder)).loc[["test_1_A", "test_2_D", "test_3_N"], list(DETAILS)]
        assert details.to_numpy().tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_what_is_assumed_is_said_with_the_counts_that_follow(base):
    told = finding(read_fives(base), "code-assumed")
    assert told.severity == "warning"
    # By hand: of train every second, all, and four in five are 1; of test two each.
    counts = "IC as illumination, 1 in 12, Blur as clarity, 1 in 22, LC as contrast, 1 in 18 of 24 images"
    assert counts in told.message
    report = audit("fives", base, images=False)
    assert report.usable
    assert told in report.findings
    training, test = [one.message for one in report.findings if one.code == "counts-differ"]
    assert ("all: 4 labelled, 200 published" in training, "all: 20 labelled, 600 published" in test) == (1, 1)


def test_parts_are_the_publishers_and_vessels_and_stray_files_are_no_photographs(base):
    catalogue = read_fives(base)
    rows = rows_of(catalogue)
    assert rows["split"].value_counts().to_dict() == {"train": 18, "test": 4, "val": 2}
    assert set(rows.index[rows["split"] == "test"]) == {"test_1_A", "test_2_D", "test_3_G", "test_4_N"}
    paths = rows.loc[["train_1_A", "test_1_A"], "path"].tolist()
    assert paths == ["train/Original/1_A.png", "test/Original/1_A.png"]
    assert rows["patient_id"].is_unique
    assert finding(catalogue, "patients-unknown").severity == "warning"
    assert finding(catalogue, "images-unlabelled") is None
    assert items(catalogue, "passed-over") == ("train/Original/Thumbs.db",)


def test_endings_letters_sheets_and_names_may_be_in_any_case(tmp_path):
    rows = FIVES_ROWS | {"test": [("g", 3, 0, 0, 0)]}
    base = write_fives(tmp_path, rows, images=False, sheets=("train", " TEST "))
    (base / "Quality Assessment.xlsx").rename(base / "quality assessment.XLSX")
    wanted = {}
    for split, name in (("train", "1_A.PNG"), ("train", "6_D.Png"), ("test", "3_G.JPG")):
        (base / split / "Original").mkdir(parents=True, exist_ok=True)
        (base / split / "Original" / name).touch()
        wanted[f"{split}_{name[:3]}"] = f"{split}/Original/{name}"
    assert rows_of(read_fives(base))["path"].dropna().to_dict() == wanted
