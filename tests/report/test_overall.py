import numpy as np
import pytest

from riqa.report.overall import overall_results, stacked_labels


def test_photographs_without_a_grade_do_not_count(fake_predictions):
    predictions = fake_predictions(n_classes=3)
    predictions = predictions[predictions["model"] == "multi_task"]
    ungraded = predictions["image_id"].isin(predictions["image_id"].unique()[:7])
    with_gaps = predictions.assign(overall=predictions["overall"].where(~ungraded))
    graded, wanted = (overall_results(rows, n_resamples=50) for rows in (with_gaps, predictions[~ungraded]))
    assert graded == wanted
    assert graded[0].n == 60 - 7
    images, labels, n_classes = stacked_labels(with_gaps)
    assert (len(images), labels.shape[1], n_classes) == (53, 53, 3)
    assert not images["overall"].isna().any()


def test_the_loss_of_ungraded_photographs_is_not_known(fake_predictions):
    from riqa.report.backbones import _cross_entropy

    rows = fake_predictions(n_classes=3)
    rows = rows[(rows["model"] == "multi_task") & (rows["seed"] == rows["seed"].min())]
    probs = rows[[f"p_overall_{k}" for k in range(3)]].to_numpy()
    losses = -np.log(probs[np.arange(len(rows)), rows["overall"].astype(int)])
    with_gaps = rows.assign(overall=rows["overall"].where(np.arange(len(rows)) >= 5))
    assert _cross_entropy(with_gaps) == pytest.approx(losses[5:].mean())
