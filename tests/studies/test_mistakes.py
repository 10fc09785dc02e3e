"""Where answers go wrong, on cases that can be counted by hand, and severities of drawn phantoms."""

import numpy as np
import pandas as pd
import pytest

from riqa.labels import DETAILS
from riqa.phantom.raters import THRESHOLD
from riqa.results import find
from riqa.studies import details, mistakes
from riqa.studies.mistakes import count_flips, flips
from tests.studies.answers import answers, value

LABELS = [[1, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1], [1, 1, 1]]
PATTERNS = ["nothing bad", "only clarity bad", "only illumination bad", "only contrast bad", "several bad"]
GOOD = pd.DataFrame(LABELS, columns=list(DETAILS))
SEVERITIES = [f"severity_{detail}" for detail in DETAILS]


def with_patterns(predictions):
    return predictions.assign(pattern=mistakes.patterns(predictions))


def test_errors_are_counted_by_source_and_unknown_labels_left_out():
    labels = np.array(LABELS, dtype=float)
    labels[5, 1] = np.nan
    always_good = answers(labels, np.full((2, 6, 3), 0.9)).assign(source=[*"aaabb", ""] * 2)
    found = mistakes.error_rates(always_good, n_resamples=50)
    keys = {"dataset": "set", "model": "teacher", "target": "clarity", "metric": "error"}
    a, b = (find(found, **keys, group=source) for source in "ab")
    assert (a["n"], a["value"]) == (3, pytest.approx(1 / 3))
    assert (b["n"], b["value"]) == (2, pytest.approx(1 / 2))
    assert set(found.loc[found["target"] == "contrast", "group"]) == {"a", "b", "unknown"}
    assert (found["low"] <= found["value"]).all()


def test_patterns_by_hand():
    assert mistakes.patterns(GOOD).tolist() == [*PATTERNS, "nothing bad"]
    unknown = GOOD.astype(float)
    unknown.loc[0, "contrast"] = np.nan
    assert mistakes.patterns(unknown)[0] == ""
    artifact = pd.Series([0.45, 0.9, 0.9, 0.9, 0.9, 0.46])  # counts where nothing else is bad; 0.45 is good
    assert mistakes.patterns(GOOD, artifact).tolist() == [*PATTERNS, "artifact only"]


def test_the_confusion_of_details_by_hand():
    """The first seed is right everywhere, the second calls contrast bad wherever clarity is."""
    confused = np.array(LABELS, dtype=float)
    confused[confused[:, 1] == 0, 2] = 0
    found = mistakes.called_bad(with_patterns(answers(LABELS, [LABELS, confused])))
    keys = {"model": "teacher", "metric": "called_bad", "method": "images"}
    clarity = [value(found, **keys, group="only clarity bad", target=d) for d in (*DETAILS, "any")]
    assert clarity == [0, 1, 0.5, 1]
    assert value(found, **keys, group="nothing bad", target="any") == 0
    assert value(found, **keys, group="several bad", target="contrast") == 0.5
    in_order = [pattern for pattern in mistakes.PATTERNS if pattern in PATTERNS]
    assert found["group"].unique().tolist() == in_order
    row = find(found, dataset="set", **keys, group="nothing bad", target="any")
    assert (row["n"], row["seeds"]) == (2, (0, 1))
    without = with_patterns(answers(LABELS, np.zeros((6, 3))))
    without.loc[1, "pattern"] = ""
    assert "only clarity bad" not in set(mistakes.called_bad(without)["group"])
    assert mistakes.called_bad(without.assign(pattern="")).empty


def test_rejected_without_a_reason_by_hand():
    """Not good with all details good: i000 and i005; i001 has a reason; the others are called good."""
    p_overall = np.array([[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], *[[0.1, 0.2, 0.7]] * 3, [0.2, 0.5, 0.3]])
    predictions = with_patterns(answers(LABELS, LABELS, p_overall=p_overall))
    found = mistakes.without_reason(predictions, n_resamples=50)
    shares = {(row.metric, row.group): row.value for row in found.itertuples()}
    assert shares["not_good", "all"] == 0.5
    assert shares["unexplained", "all"] == pytest.approx(2 / 6)
    assert shares["unexplained", "nothing bad"] == 1
    assert (shares["not_good", "only clarity bad"], shares["unexplained", "only clarity bad"]) == (1, 0)
    # Two classes are read from the columns that are there.
    p_overall = np.column_stack([np.full(6, 0.8), np.full(6, 0.2), np.full(6, np.nan)])
    predictions = answers(LABELS, np.ones((6, 3)), p_overall=p_overall).assign(pattern="")
    found = mistakes.without_reason(predictions, n_resamples=20)
    assert found[["group", "value"]].to_numpy().tolist() == [["all", 1], ["all", 1]]


@pytest.fixture
def severities(tmp_path):
    rng = np.random.default_rng(1)
    truth = pd.DataFrame({"image_id": [f"i{k:03d}" for k in range(60)]})
    for group in (*DETAILS, "artifact"):
        truth[f"perceived_{group}"] = rng.random(60)
    truth.loc[0, "perceived_clarity"] = THRESHOLD  # exactly at the threshold: good
    truth.sample(frac=1, random_state=0).to_parquet(tmp_path / "truth.parquet")
    return mistakes.read_severities({"set": tmp_path / "truth.parquet", "real": tmp_path / "none.parquet"})


def told(severities, labels, probs):
    return answers(labels, probs).merge(severities, on=["dataset", "image_id"])


def test_truth_is_the_unbiased_experts_whatever_the_order_of_rows(severities, tmp_path):
    assert set(severities["dataset"]) == {"set"}  # real sets have none
    assert mistakes.read_severities({"real": tmp_path / "none.parquet"}).empty
    rows = told(severities, np.full((60, 3), np.nan), np.full((2, 60, 3), 0.5)).sample(frac=1, random_state=3)
    for row in mistakes.planted_labels(rows).itertuples():
        assert row.clarity == (row.severity_clarity <= 0.45)
    silent = mistakes.planted_labels(rows.assign(p_clarity=np.nan))
    assert silent["clarity"].isna().all()
    assert silent["contrast"].notna().all()


def test_against_the_truth_experts_err_and_the_truth_does_not(severities):
    good = (severities.sort_values("image_id")[SEVERITIES] <= THRESHOLD).to_numpy(dtype=float)
    labels = good.copy()
    labels[:6] = 1 - labels[:6]
    rows = told(severities, labels, np.stack([good, good]))
    experts = mistakes.planted_labels(mistakes.experts(rows))
    assert len(experts) == 60
    gap = rows.assign(clarity=rows["clarity"].mask(rows["image_id"] == "i000"))
    assert set(mistakes.experts(gap)["image_id"]) == set(rows["image_id"]) - {"i000"}
    found = details.both_classes(experts, n_resamples=20)
    right = find(found, dataset="set", model="experts", target="clarity", metric="accuracy")
    assert right["value"] == pytest.approx(0.9)
    assert (details.scores(mistakes.planted_labels(rows), n_resamples=20)["value"] == 1).all()


def test_a_lenient_models_threshold_is_higher(severities):
    rng = np.random.default_rng(4)
    seen = severities.sort_values("image_id")[SEVERITIES].to_numpy() + rng.normal(0, 0.1, (2, 60, 3))
    for limit in (0.45, 0.65):
        found = mistakes.severity_curves(told(severities, np.ones((60, 3)), (seen <= limit).astype(float)))
        keys = {"dataset": "set", "model": "teacher", "target": "clarity", "method": "psychometric"}
        row = find(found, **keys, metric="severity_threshold")
        assert row["value"] == pytest.approx(limit, abs=0.07)
        assert row["low"] < row["value"] < row["high"]
        assert find(found, **keys, metric="severity_width")["value"] > 0
    assert mistakes.severity_curves(told(severities, np.ones((60, 3)), np.ones((60, 3)))).empty


PAIR = ("single_task", "multi_task")
GRADES = [0, 0, 1, 2, np.nan]
FIRST = [[0.2, 0.7, 0.1], [0.4, 0.5, 0.1], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0], [1, 0, 0]]
SECOND = [[0.6, 0.3, 0.1], [0.9, 0.1, 0.0], [0.5, 0.4, 0.1], [0.0, 0.1, 0.9], [0, 1, 0]]


def two_models(labels, *sides, probs=(None, None)):
    """Answers of both models, in no particular order; sides are each seed's, of the first and the second."""
    found = []
    for seed, both in enumerate(sides):
        for model, side, p in zip(PAIR, both, probs, strict=True):
            p = np.ones((len(labels), 3)) if p is None else p
            own = answers(labels, p, model=model, overall=GRADES[: len(labels)], p_overall=side)
            found.append(own.assign(seed=seed))
    return pd.concat(found).iloc[::-1].reset_index(drop=True)


def test_answers_stand_side_by_side_and_flips_are_averaged_over_seeds():
    table = two_models(np.full((5, 3), np.nan), (FIRST, SECOND), (FIRST, FIRST))  # the second seed: no change
    flipped = flips(table, PAIR, ["overall"])
    found = flipped[flipped["seed"] == 0]
    assert found["image_id"].tolist() == ["i000", "i001", "i002", "i003"]  # the last has no grade
    assert found["flip"].tolist() == ["wrong_to_right", "wrong_to_right", "right_to_wrong", ""]
    np.testing.assert_allclose(found["moved"], [0.4, 0.5, 0.4, 0.1])
    assert found["group"].tolist() == ["reject", "reject", "usable", "good"]
    counts = count_flips(flipped, "multi_task", "single_task")
    wide = counts.pivot(index="group", columns="metric", values="value")
    assert wide["wrong_to_right"].to_dict() == {"reject": 1, "usable": 0, "good": 0, "all": 1}
    assert wide["right_to_wrong"].to_dict() == {"reject": 0, "usable": 0.5, "good": 0, "all": 0.5}
    assert counts.groupby("group")["n"].first().to_dict() == {"reject": 2, "usable": 1, "good": 1, "all": 4}
    assert (set(counts["seeds"]), set(counts["method"])) == ({(0, 1)}, {"count_mean"})


def test_details_are_questions_of_their_own():
    labels = [[0, 1, np.nan], [1, 1, 0]]
    probs = [[0.8, 0.9, 0.5], [0.7, 0.2, 0.1]], [[0.3, 0.4, 0.5], [0.9, 0.6, 0.2]]
    found = flips(two_models(labels, (np.nan, np.nan), probs=probs), PAIR, DETAILS)
    assert len(found) == 5  # one label is unknown
    assert list(dict.fromkeys(found["target"])) == list(DETAILS)
    first = found.set_index(["target", "image_id"]).loc[("illumination", "i000")]
    assert (first["group"], first["flip"]) == ("bad", "wrong_to_right")
    assert first["moved"] == pytest.approx(0.5)  # bad from 0.2 to 0.7
    counts = count_flips(found, "multi_task", "teacher").set_index(["target", "group", "metric"])["value"]
    assert counts["clarity", "good", "wrong_to_right"] == counts["clarity", "good", "right_to_wrong"] == 1
