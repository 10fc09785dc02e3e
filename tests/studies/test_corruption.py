"""Planted errors by a case worked by hand, errors of a Teacher by loops."""

import numpy as np
import pandas as pd
import pytest

from riqa.evaluate.mrmc import mean_of_method
from riqa.labels import DETAILS
from riqa.results import find
from riqa.studies.corruption import copied, followed

P = [f"p_{detail}" for detail in DETAILS]

IDS = ["a", "b", "c", "d"]
TRUTH = np.array([1, 1, 0, 0])
SAID = {  # model -> one row per seed; 1: good
    "true_labels": [[1, 1, 0, 0], [1, 0, 0, 0]],
    "by_camera": [[0, 1, 1, 0], [0, 0, 1, 1]],
}
PLANTED = pd.DataFrame({0: [True, False, True, False], 1: [True, True, True, False]}, IDS)


@pytest.fixture
def predictions():
    tables = []
    for model, by_seed in SAID.items():
        for seed, said in enumerate(by_seed):
            table = pd.DataFrame({"image_id": IDS, "patient_id": ["p", "p", "q", "r"], "seed": seed})
            table = table.assign(
                dataset="toy", model=model, clarity=TRUTH, p_clarity=np.abs(np.array(said) - 0.1)
            )
            tables.append(table.assign(p_illumination=0.5, p_contrast=0.5, eye="left"))
    return pd.concat(tables, ignore_index=True).sample(frac=1, random_state=0)


def test_errors_are_counted_where_they_were_planted_and_where_not(predictions):
    found = copied(predictions, {"by_camera": PLANTED}, "true_labels", "clarity", n_resamples=100)
    keys = {"dataset": "toy", "target": "clarity", "metric": "wrong"}
    inside = keys | {"group": "planted by_camera"}
    outside = keys | {"group": "not planted by_camera"}
    # Planted: a and c for both seeds, b for the second. by_camera is wrong about all five of these.
    assert find(found, model="by_camera", method="pooled", **inside)["value"] == 1
    # The rival is wrong once, about b, for the second seed.
    assert find(found, model="true_labels", method="pooled", **inside)["value"] == pytest.approx(1 / 5)
    # Elsewhere b and d for the first seed, d for the second: wrong once, about d.
    assert find(found, model="by_camera", method="pooled", **outside)["value"] == pytest.approx(1 / 3)
    assert find(found, model="true_labels", method="pooled", **outside)["value"] == 0
    gap = find(found, model="by_camera", rival="true_labels", method="mrmc", **inside)
    by_seed = np.array([[1, np.nan, 1, np.nan], [1, 0, 1, np.nan]])
    judge = mean_of_method(by_seed, groups=np.array(["p", "p", "q", "r"]))
    assert [gap["value"], gap["low"], gap["high"], gap["p"]] == pytest.approx(
        [judge.value, judge.low, judge.high, judge.p_value]
    )
    assert gap["value"] == pytest.approx(4 / 5)
    assert (gap["n"], gap["seeds"]) == (3, (0, 1))


def test_a_rule_that_applies_nowhere_leaves_nothing_to_count(predictions):
    found = copied(predictions, {"by_camera": ~PLANTED | PLANTED}, "true_labels", "clarity", n_resamples=100)
    outside = found[found["group"] == "not planted by_camera"]
    assert outside["value"].isna().all()
    assert (outside["n"] == 0).all()


def test_errors_are_followed_as_by_loops():
    rng, ids, seeds = np.random.default_rng(1), [f"i{k}" for k in range(12)], (0, 1, 2)
    truth = pd.DataFrame(rng.integers(2, size=(12, 3)).astype(float), ids, list(DETAILS))
    frames = {}
    for model in ("teacher", "once", "twice"):
        own = pd.DataFrame([(i, s) for s in seeds for i in ids], columns=["image_id", "seed"])
        own[P] = rng.random((36, 3))
        own = own.assign(model=model, dataset="d", patient_id=own["image_id"].str[:2])
        frames[model] = own.join(truth, on="image_id")
    pairs, how = [("twice", "once")], {"n_resamples": 50}
    found = followed(pd.concat(frames.values()), pairs, **how)

    def wrong(model, image, seed, k):
        own = frames[model].set_index(["image_id", "seed"]).loc[(image, seed), P[k]]
        return (own >= 0.5) != (truth.loc[image, DETAILS[k]] == 1)

    cases = [(i, s, k) for i in ids for s in seeds for k in range(3)]
    shares = {}
    for model in frames:
        said = {case: wrong(model, *case) for case in cases}
        for group, before in (("all", 0), ("stranger", 1)):
            ill = {(i, s, k): wrong("teacher", i, (s - before) % 3, k) for i, s, k in cases}
            shares[model, "still_wrong", group] = np.mean([said[c] for c in cases if ill[c]])
            shares[model, "newly_wrong", group] = np.mean([said[c] for c in cases if not ill[c]])
        shares[model, "wrong", "all"] = np.mean(list(said.values()))
    levels = found[found["rival"] == ""].set_index(["model", "metric", "group"])["value"]
    assert levels.to_dict() == pytest.approx(shares)
    assert shares["teacher", "still_wrong", "all"] == 1
    gaps = found[found["rival"] == "once"].set_index("metric")["value"]
    for metric in ("wrong", "still_wrong", "newly_wrong"):
        assert gaps[metric] == pytest.approx(shares["twice", metric, "all"] - shares["once", metric, "all"])
    alone = pd.concat(frames.values())
    alone = followed(alone[alone["seed"] == 1], pairs, **how)
    assert set(alone["group"]) == {"all"}
