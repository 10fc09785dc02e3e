"""What somebody who knows the truth of phantoms scores, on severities drawn as in the sets, without photographs."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from riqa.labels import DETAILS
from riqa.phantom.raters import expert_labels, overall_score, perceived_severity
from riqa.phantom.trouble import TROUBLE, draw_severities, sample_by_grade
from riqa.predictions import OVERALL, with_answers
from riqa.studies.ceiling import MODELS, knowing

SHARES = {3: (0.2, 0.28, 0.52), 2: (0.5, 0.5)}


def write(folder, overall, severities, splits):
    """Write what `knowing` reads of a set's photographs."""
    ids = [f"i{k:05d}" for k in range(len(splits))]
    truth = {f"perceived_{group}": values for group, values in perceived_severity(severities).items()}
    truth = pd.DataFrame({"image_id": ids, **truth, "overall_score": overall_score(severities)})
    truth.to_parquet(folder / "truth.parquet")
    manifest = pd.DataFrame({"image_id": ids, "split": splits, "overall": overall})
    manifest.to_parquet(folder / "manifest.parquet")
    return truth, manifest


def asked(manifest, labels=np.nan, seeds=(0, 1)):
    """Make predictions of one model about the test images, which know nothing."""
    own = manifest[manifest["split"] == "test"].assign(dataset="set", model="multi_task", patient_id="p")
    own = own.assign(eye="left", trained_on="set", **dict.fromkeys([*OVERALL], 1 / 3))
    own[[f"p_{d}" for d in DETAILS]] = 0.5
    own[list(DETAILS)] = labels
    own = pd.concat([own.assign(seed=seed) for seed in seeds], ignore_index=True)
    return with_answers(own)


@pytest.fixture(params=SHARES)
def graded_set(request, tmp_path):
    n_classes, rng = request.param, np.random.default_rng(5)
    overall = rng.choice(n_classes, 3_000, p=SHARES[n_classes])
    severities, _ = sample_by_grade(overall, n_classes, rng, 1)
    splits = np.repeat(["train", "test"], 1_500)
    _, manifest = write(tmp_path, overall.astype(float), severities, splits)
    return n_classes, asked(manifest), knowing(asked(manifest), tmp_path)


def test_ceilings_are_two_more_models_on_the_same_images_and_seeds(graded_set):
    n_classes, given, found = graded_set
    assert list(found) == list(given)
    assert set(found["model"]) == set(MODELS)
    for _, own in found.groupby("model"):
        same = ["image_id", "seed", "overall", "patient_id"]
        assert own[same].reset_index(drop=True).equals(given[same])
        assert own[OVERALL[:n_classes]].sum(axis=1).eq(1).all()
        assert own[OVERALL[n_classes:]].isna().all(axis=None)


def test_truth_grades_better_than_the_details_alone_and_neither_is_perfect(graded_set):
    n_classes, _, found = graded_set
    each = found.groupby("model")
    f1 = {model: f1_score(own["overall"], own["called"], average="macro") for model, own in each}
    # 20,000 photographs of other draws: 0.925 and 0.850 with three classes, 0.954 and 0.911 with two.
    expected = {3: (0.925, 0.850), 2: (0.954, 0.911)}[n_classes]
    assert (f1["truth_known"], f1["details_known"]) == pytest.approx(expected, abs=0.025)


def test_the_grade_is_that_of_the_thresholds_and_a_detail_is_bad_above_its_own(tmp_path):
    """Weights 0.54, 0.44, 0.46 and 0.50; thresholds 0.42 and 0.62; details are bad above 0.45."""
    defocus = [0.0, 0.5, 0.95, 1.0, 0.0]
    dust = [0.0, 0.0, 0.0, 1.0, 0.9]
    severities = {"defocus": np.array(defocus * 4), "dust": np.array(dust * 4)}
    overall = np.tile([2.0, 2.0, 2.0, 0.0, 1.0], 4)
    splits = np.repeat(["train", "test"], 10)
    _, manifest = write(tmp_path, overall, severities, splits)
    found = knowing(asked(manifest, seeds=(3,)), tmp_path).set_index("model")
    # Scores: 0; 0.44 * 0.5 = 0.22; 0.44 * 0.95 = 0.418; sqrt(0.44² + 0.5²) = 0.666; 0.5 * 0.9 = 0.45.
    assert found.loc["truth_known", "called"].tolist() == [2, 2, 2, 0, 1] * 2
    assert found.loc["truth_known", "p_clarity"].tolist() == [1, 0, 0, 0, 1] * 2
    assert found.loc["truth_known", "p_contrast"].eq(1).all()


def test_experts_who_disagree_bound_the_details_too(tmp_path):
    rng = np.random.default_rng(1)
    severities = draw_severities(1_000, TROUBLE["details"], rng)
    labels, _ = expert_labels([f"i{k:05d}" for k in range(1_000)], severities, rng)
    _, manifest = write(tmp_path, np.full(1_000, np.nan), severities, ["test"] * 1_000)
    found = knowing(asked(manifest, np.tile(labels, (1, 1)), seeds=(0,)), tmp_path)
    assert set(found["model"]) == {"truth_known"}
    assert found["called"].isna().all()
    for k, detail in enumerate(DETAILS):
        severity = perceived_severity(severities)[detail]
        assert found[f"p_{detail}"].tolist() == [1.0 if s <= 0.45 else 0.0 for s in severity]
        agreement = (found[f"p_{detail}"] == labels[:, k]).mean()
        assert 0.8 < agreement < 0.99


def test_nobody_knows_the_truth_of_real_photographs(tmp_path):
    _, manifest = write(tmp_path, np.full(4, 1.0), {"dust": np.zeros(4)}, ["test"] * 4)
    (tmp_path / "truth.parquet").unlink()
    assert knowing(asked(manifest), tmp_path).empty
