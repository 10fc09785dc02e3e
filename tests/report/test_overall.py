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
