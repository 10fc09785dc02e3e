"""Published predictions: the columns run the other way than the code, and scores equal the printed ones."""

import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from riqa import paper
from riqa.data.published_predictions import FILES, read_published_predictions
from riqa.evaluate.metrics import scores_from_counts
from riqa.evaluate.stats import paired_bootstrap
from riqa.learn.predict import PROBABILITIES
from tests.data.expect import REAL, needs_data, refused

P = list(PROBABILITIES[:3])
IMAGES = ("7_left.jpeg", "7_right.jpeg", "12_left.jpeg")


@pytest.fixture
def tree(tmp_path):
    """EyeQ's layout in small: labels 0 good, 2 reject; predictions and labels in different orders of rows."""
    labels = pd.DataFrame({"image": IMAGES, "quality": [0, 1, 2], "DR_grade": 0})
    labels.to_csv(tmp_path / "Label_EyeQ_test.csv")
    rows = [(IMAGES[2], 0.1, 0.3, 0.8), (IMAGES[0], 0.8, 0.1, 0.1), (IMAGES[1], 0.2, 0.7, 0.1)]
    for name in FILES.values():
        pd.DataFrame(rows, columns=["image_name", "Good", "Usable", "Reject"]).to_csv(tmp_path / name)
    return tmp_path


def read(tree):
    return read_published_predictions(tree, tree / "Label_EyeQ_test.csv")


def test_columns_and_rows_are_brought_into_order(tree):
    table = read(tree)
    one = table[table["model"] == "quickqual"]
    assert one["image_id"].tolist() == ["7_left", "7_right", "12_left"]
    assert one["overall"].tolist() == [2, 1, 0]
    assert one[P].to_numpy().argmax(axis=1).tolist() == [2, 1, 0]
    assert one[P].iloc[2].tolist() == [0.8, 0.3, 0.1]  # as published: they need not sum to 1
    assert one[["patient_id", "eye"]].iloc[1].tolist() == ["7", "right"]
    assert table.groupby("model").size().to_dict() == {"mcf_net": 3, "quickqual": 3}
    assert table[["illumination", "p_clarity"]].isna().all(axis=None)
    names = ["image_id", "dataset", "split", "patient_id", "eye", "model", "seed", "trained_on"]
    names += [*PROBABILITIES, "overall", "illumination", "clarity", "contrast"]  # those of predictions
    assert list(table.columns) == names


def test_one_of_the_files_and_the_labels_are_enough_and_less_is_not(tree):
    (tree / FILES["mcf_net"]).unlink()
    assert set(read(tree)["model"]) == {"quickqual"}
    (tree / "Label_EyeQ_test.csv").unlink()
    with refused("Label_EyeQ_test.csv does not exist"):
        read(tree)
    (tree / FILES["quickqual"]).unlink()
    with refused("neither mcf_net_eyeq_test.csv nor ", "riqa fetch published"):
        read(tree)


@pytest.mark.parametrize(
    ("edit", "parts"),
    [
        (lambda t: t.iloc[:2], ["names 0 images that ", " lacks 1 of its 3 (7_right"]),
        (lambda t: t.replace(IMAGES[0], "8_left.jpeg"), ["names 1 images ", " lacks 1 of its 3 (8_left"]),
        (lambda t: t.replace(IMAGES[0], IMAGES[1]), ["7_right is labelled twice"]),
        (lambda t: t.assign(Good=[0.1, 1.2, 0.2]), ["image 7_left has no three numbers in"]),
        (lambda t: t.assign(Usable=[0.1, 0.2, None]), ["image 7_right has no three numbers"]),
        (lambda t: t.drop(columns="Reject"), ["lacks the column(s) Reject"]),
    ],
)
def test_other_files_are_refused_in_a_line(tree, edit, parts):
    path = tree / FILES["quickqual"]
    edit(pd.read_csv(path, index_col=0)).to_csv(path)
    with refused(path.name, *parts):
        read(tree)


@pytest.fixture(scope="module")
def real():
    table = read_published_predictions(REAL / "published", REAL / "eyeq" / "Label_EyeQ_test.csv")
    return {model: rows.reset_index(drop=True) for model, rows in table.groupby("model")}


# Table 3 of the paper (F1 of reject, usable, good); macro-F1 and accuracy to four digits, and good against
# the rest, from a transcription with scikit-learn alone.
EXPECTED = {
    "mcf_net": ("MCF", (0.864, 0.783, 0.935), 0.8606, 0.8800, 0.9351),
    "quickqual": ("QuickQual", (0.880, 0.786, 0.937), 0.8675, 0.8863, 0.9366),
}


@needs_data
@pytest.mark.parametrize("model", EXPECTED)
def test_recomputed_rows_equal_table_3(real, model):
    method, by_class, macro, accuracy, rest = EXPECTED[model]
    rows = real[model]
    assert len(rows) == 16_249
    counts = confusion_matrix(rows["overall"], rows[P].to_numpy().argmax(axis=1))
    scores = {name: float(score) for name, score in scores_from_counts(counts).items()}
    found = tuple(round(scores[f"f1.{name}"], 3) for name in ("reject", "usable", "good"))
    printed = paper.numbers("Table 3")
    printed = printed[printed["printed_as"] == method]["paper"]
    assert found == by_class == tuple(printed)
    assert (round(scores["macro_f1"], 4), round(scores["accuracy"], 4)) == (macro, accuracy)
    assert round(scores["f1.good"], 4) == rest


@needs_data
def test_the_two_published_models_meet_in_the_paired_bootstrap(real):
    rows = real["quickqual"]
    assert (rows["image_id"] == real["mcf_net"]["image_id"]).all()
    assert rows["patient_id"].nunique() == 12_048
    quick, mcf = (real[model][P].to_numpy().argmax(axis=1) for model in ("quickqual", "mcf_net"))
    truth = rows["overall"].to_numpy(dtype=int)
    for groups in (None, rows["patient_id"].to_numpy(), rows["image_id"].to_numpy()):
        found = paired_bootstrap(truth, quick, mcf, n_classes=3, groups=groups)
        assert found.value == pytest.approx(0.8675 - 0.8606, abs=0.0001)
        assert (found.low > 0, found.p_value < 0.05) == (True, True)
        # 400 passes of a plain loop over scikit-learn, by image and by patient, have this standard deviation
        assert (found.high - found.low) / 3.92 == pytest.approx(0.0029, abs=0.0002)
