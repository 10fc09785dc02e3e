"""Details: stacking seeds, and scores with intervals."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from riqa.labels import DETAILS
from riqa.report.details import detail_results, detail_table
from riqa.report.seeds import stack_seeds

P = [f"p_{detail}" for detail in DETAILS]


@pytest.fixture
def predictions():
    rng = np.random.default_rng(3)
    n = 60
    frames = []
    truth = (rng.random((n, 3)) < 0.6).astype(float)
    truth[0, 1] = np.nan
    overall = rng.integers(3, size=n).astype(float)
    for seed in (0, 1):
        frame = pd.DataFrame({"image_id": [f"i{k:02d}" for k in range(n)], "eye": "left"})
        frame["patient_id"] = [f"p{k // 2}" for k in range(n)]
        frame[["dataset", "split", "model", "seed"]] = ["set", "test", "teacher", seed]
        frame["overall"] = overall
        frame[list(DETAILS)] = truth
        frame[P] = np.clip(np.nan_to_num(truth, nan=0.5) * 0.4 + rng.random((n, 3)) * 0.6, 0, 1)
        frames.append(frame.sample(frac=1, random_state=seed))  # another order in each seed
    return pd.concat(frames, ignore_index=True)


def test_seeds_are_stacked_image_by_image(predictions):
    images, probs = stack_seeds(predictions, P)
    assert probs.shape == (2, 60, 3)
    assert images["image_id"].is_monotonic_increasing
    one = predictions[(predictions["seed"] == 1) & (predictions["image_id"] == "i07")]
    assert probs[1, 7].tolist() == one[P].iloc[0].tolist()


def test_seeds_with_other_images_are_refused(predictions):
    with pytest.raises(ValueError, match="same images"):
        stack_seeds(predictions.iloc[1:], P)


def test_scores_are_means_over_seeds_of_scikit_learns(predictions):
    by_name = {item.name: item for item in detail_results(predictions, n_resamples=200)}
    for detail in DETAILS:
        expected = []
        for _, rows in predictions.groupby("seed"):
            known = rows[rows[detail].notna()]
            expected.append(f1_score(known[detail], known[f"p_{detail}"] >= 0.5))
        found = by_name[f"details.set.teacher.{detail}.f1"]
        assert found.value == pytest.approx(np.mean(expected))
        assert found.low <= found.value <= found.high
        assert found.seeds == (0, 1)
        assert found.n == 60
    mean = np.mean([by_name[f"details.set.teacher.{detail}.f1"].value for detail in DETAILS])
    assert by_name["details.set.teacher.macro_f1"].value == pytest.approx(mean)


def test_the_table_shows_the_records(predictions):
    results = detail_results(predictions, n_resamples=50)
    table = detail_table(results)
    assert list(table.index) == [*DETAILS, "mean of the three"]
    first = next(item for item in results if item.name.endswith("illumination.f1"))
    assert table.loc["illumination", "F1"] == f"{first.value:.3f} [{first.low:.3f}, {first.high:.3f}]"
