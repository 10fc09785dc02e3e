"""Published predictions: the columns run the other way than the code, and scores equal the printed ones."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riqa import paper
from riqa.data.published_predictions import FILES, read_published_predictions
from riqa.errors import InputError
from riqa.evaluate.metrics import overall_scores
from riqa.evaluate.stats import paired_bootstrap
from riqa.learn.predict import PROBABILITIES

P = list(PROBABILITIES[:3])
needs_data = pytest.mark.skipif("RIQA_DATA" not in os.environ, reason="needs RIQA_DATA")

IMAGES = ("7_left.jpeg", "7_right.jpeg", "12_left.jpeg")


@pytest.fixture
def tree(tmp_path):
    """EyeQ's layout in small: labels 0 good, 2 reject; predictions and labels in different orders of rows."""
    labels = pd.DataFrame({"image": IMAGES, "quality": [0, 1, 2], "DR_grade": 0})
    labels.to_csv(tmp_path / "Label_EyeQ_test.csv")
    for name in FILES.values():
        rows = [[0.1, 0.3, 0.8], [0.8, 0.1, 0.1], [0.2, 0.7, 0.1]]
        table = pd.DataFrame(rows, columns=["Good", "Usable", "Reject"])
        table.insert(0, "image_name", [IMAGES[2], IMAGES[0], IMAGES[1]])
        table.to_csv(tmp_path / name)
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


def test_columns_are_those_of_predictions(tree):
    names = ["image_id", "dataset", "split", "patient_id", "eye", "model", "seed", "trained_on"]
    assert list(read(tree).columns) == [
        *names, *PROBABILITIES, "overall", "illumination", "clarity", "contrast"
    ]  # fmt: skip


def test_one_of_the_files_is_enough_and_none_is_not(tree):
    (tree / FILES["mcf_net"]).unlink()
    assert set(read(tree)["model"]) == {"quickqual"}
    (tree / FILES["quickqual"]).unlink()
    with pytest.raises(InputError, match=r"neither mcf_net_eyeq_test.csv nor .*riqa fetch published"):
        read(tree)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.iloc[:2], "names 0 images that .* lacks 1 of its 3 .7_right"),
        (
            lambda t: t.replace("7_left.jpeg", "8_left.jpeg"),
            "names 1 images that .* lacks 1 of its 3 .8_left",
        ),
        (lambda t: t.replace("7_left.jpeg", "7_right.jpeg"), "7_right is labelled twice"),
        (lambda t: t.assign(Good=[0.1, 1.2, 0.2]), "image 7_left has no three numbers in"),
        (lambda t: t.assign(Usable=[0.1, 0.2, None]), "image 7_right has no three numbers"),
        (lambda t: t.drop(columns="Reject"), "lacks the column.s. Reject"),
    ],
)
def test_other_files_are_refused_in_a_line(tree, edit, message):
    path = tree / FILES["quickqual"]
    edit(pd.read_csv(path, index_col=0)).to_csv(path)
    with pytest.raises(InputError, match=message) as error:
        read(tree)
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)


def test_the_label_file_is_needed(tree):
    (tree / "Label_EyeQ_test.csv").unlink()
    with pytest.raises(InputError, match=r"Label_EyeQ_test.csv does not exist"):
        read(tree)


@pytest.fixture(scope="module")
def real():
    data = Path(os.environ["RIQA_DATA"])
    table = read_published_predictions(data / "published", data / "eyeq" / "Label_EyeQ_test.csv")
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
    scores = overall_scores(rows["overall"].to_numpy(), rows[P].to_numpy())
    found = tuple(round(scores[f"f1.{name}"], 3) for name in ("reject", "usable", "good"))
    printed = paper.numbers("Table 3")
    printed = printed[printed["printed_as"] == method]["paper"]
    assert found == by_class == tuple(printed)
    assert (round(scores["macro_f1"], 4), round(scores["accuracy"], 4)) == (macro, accuracy)
    assert round(scores["f1.good"], 4) == rest


@needs_data
def test_the_two_published_models_meet_in_the_paired_bootstrap(real):
    truth = real["quickqual"]["overall"].to_numpy(dtype=int)
    quick, mcf = (real[model][P].to_numpy().argmax(axis=1) for model in ("quickqual", "mcf_net"))
    assert (real["quickqual"]["image_id"] == real["mcf_net"]["image_id"]).all()
    patients = real["quickqual"]["patient_id"].to_numpy()
    assert len(np.unique(patients)) == 12_048
    by_image = paired_bootstrap(truth, quick, mcf, n_classes=3)
    by_patient = paired_bootstrap(truth, quick, mcf, n_classes=3, groups=patients)
    by_eye = paired_bootstrap(truth, quick, mcf, n_classes=3, groups=real["quickqual"]["image_id"].to_numpy())
    for found in (by_image, by_patient, by_eye):
        assert found.value == pytest.approx(0.8675 - 0.8606, abs=0.0001)
        assert found.low > 0
        assert found.p_value < 0.05
        # 400 passes of a plain loop over scikit-learn, by image and by patient, have this standard deviation
        assert (found.high - found.low) / 3.92 == pytest.approx(0.0029, abs=0.0002)
