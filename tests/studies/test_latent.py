"""Rows about the shared representation, on small spaces whose structure is known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import pairwise_distances

from riqa.evaluate.neighbourhoods import (
    map_quality,
    neighbours_kept,
    patient_permutations,
    pca_map,
    together,
    tsne_map,
)
from riqa.results import find
from riqa.studies import latent
from tests.studies.answers import answers, drawn

N, SEEDS = 40, (0, 1)
PATIENTS = np.arange(N) // 2
OVERALL = np.repeat([0.0, 1.0, 2.0, 2.0], N // 4)


def spaces(gap):
    """Distances of two seeds in which grades lie `gap` apart."""
    rng = np.random.default_rng(0)
    return {s: pairwise_distances(gap * OVERALL[:, None] + rng.normal(size=(N, 2))) for s in SEEDS}


def measure(gap=2.0, labels=None, model="multi_task", **options):
    labels = labels or dict.fromkeys(SEEDS, pd.DataFrame({"overall": OVERALL}))
    options = {"k": 6, "n_permutations": 50} | options
    return latent.structures(spaces(gap), labels, PATIENTS, **options).assign(model=model)


def with_chance(measured, **options):
    found = latent.with_chance(measured, **{"n_resamples": 50} | options)
    return found.set_index(["metric", "method"])


def test_values_are_means_over_seeds_and_chance_is_shared():
    measured = measure()
    keys = measured[["target", "metric", "n", "seeds"]].to_numpy().tolist()
    assert keys == [["overall", name, N, SEEDS] for name in ("purity", "silhouette")]
    shuffled = patient_permutations(PATIENTS, 50, 0)
    each = [together(space, OVERALL, PATIENTS, k=6, permutations=shuffled) for space in spaces(2).values()]
    found = with_chance(measured)
    for name in ("purity", "silhouette"):
        row, chance = found.loc[name, "leave_one_out"], found.loc[name, "shuffled"]
        permuted = np.mean([one[name].permuted for one in each], axis=0)
        assert row["value"] == pytest.approx(np.mean([one[name].value for one in each]))
        assert row["p"] == pytest.approx((1 + (permuted >= row["value"]).sum()) / 51)
        ends = [permuted.mean(), *np.quantile(permuted, [0.025, 0.975])]
        assert chance[["value", "low", "high"]].tolist() == pytest.approx(ends)
        assert np.isnan(chance["p"])


def test_intervals_lie_around_the_value_and_within_what_can_be():
    far = with_chance(measure(50)).loc["purity", "leave_one_out"]
    assert far[["value", "low", "high"]].tolist() == [1, 1, 1]
    near = with_chance(measure(0.7)).xs("leave_one_out", level="method")
    assert ((near["low"] < near["value"]) & (near["value"] < near["high"]) & (near["high"] <= 1)).all()


def test_every_knob_is_alive():
    base = with_chance(measure(0.7))
    for column, options in {"value": {"k": 3}, "low": {"n_permutations": 20}, "high": {"seed": 1}}.items():
        assert not np.allclose(with_chance(measure(0.7, **options))[column], base[column]), options
    for options in ({"confidence": 0.5}, {"n_resamples": 20}, {"seed": 3}):
        other = with_chance(measure(0.7), **options)["low"]
        assert not np.allclose(other["purity", "leave_one_out"], base["low"]["purity", "leave_one_out"])


def test_unknown_labels_are_left_out_and_hopeless_ones_skipped():
    some = np.where(np.arange(N) < 12, np.arange(N) % 2, np.nan)
    labels = {"illumination": some, "clarity": np.arange(N) > 0, "contrast": np.full(N, np.nan)}
    found = measure(labels=dict.fromkeys(SEEDS, pd.DataFrame(labels)))
    assert found["target"].tolist() == ["illumination", "illumination"]
    assert (found["n"][0], found["by_patient"][0].shape) == (12, (2, 6))
    assert [latent.fitting_k(10, n) for n in (160, 40, 24, 3)] == [10, 10, 6, 0]


def test_labels_may_differ_between_seeds():
    mixed = measure(labels={s: pd.DataFrame({"overall": OVERALL[::turn]}) for s, turn in ((0, 1), (1, -1))})
    (one, other), plain = mixed["by_patient"][0], measure()["by_patient"][0]
    assert one == pytest.approx(plain[0])
    assert other.mean() < 0.7 < plain[1].mean()


def test_differences_are_paired_and_zero_against_oneself():
    measured = pd.concat([measure(), measure(0.3, model="single_task"), measure(model="teacher")])
    pairs = [("multi_task", "single_task"), ("multi_task", "teacher")]
    found = latent.differences(measured, pairs)
    values = latent.with_chance(measured, n_resamples=10)
    assert found["metric"].tolist() == ["purity", "silhouette"] * 2
    keys = {"metric": "purity", "method": "mrmc"}
    gap = find(found, model="multi_task", rival="single_task", **keys)
    a, b = (find(values, model=model, **keys | {"method": "leave_one_out"})["value"] for model in pairs[0])
    assert gap["value"] == pytest.approx(a - b)
    assert (gap["low"] > 0, gap["n"], gap["seeds"]) == (True, N, SEEDS)
    same = find(found, model="multi_task", rival="teacher", **keys)
    assert same[["low", "high"]].tolist() == [0, 0]
    narrow = latent.differences(measured, pairs[:1], confidence=0.5)
    assert narrow["low"][0] > gap["low"]


def test_maps_are_measured_start_by_start():
    labels = np.repeat([0.0, 1.0], 15)
    features = np.random.default_rng(0).normal(size=(30, 6)) + 2 * labels[:, None]
    starts = [tsne_map(features, 5, seed=seed, init="random") for seed in (0, 1)]
    maps = {"perplexity 5": starts, "PCA": [pca_map(features)]}

    def qualities(labels=labels, k=5, **options):
        table = latent.map_quality_rows(features, maps, labels, np.arange(30), k, **options)
        return table.set_index(["group", "metric"])

    found = qualities()
    each = [map_quality(features, at, 5)["trustworthiness"] for at in starts]
    row = found.loc[("perplexity 5", "trustworthiness"), ["value", "low", "high"]]
    assert row.tolist() == pytest.approx([np.mean(each), min(each), max(each)])
    shared = neighbours_kept(*map(pairwise_distances, starts), 5)
    assert found.loc[("perplexity 5", "neighbours_shared"), "value"] == shared
    assert ("PCA", "neighbours_shared") not in found.index  # one start shares with nobody
    near = np.argsort(pairwise_distances(maps["PCA"][0]), axis=1)[:, 1:6]
    share = (labels[near] == labels[:, None]).mean()
    assert found.loc[("PCA", "map_purity"), "value"] == pytest.approx(share)
    assert not np.allclose(qualities(k=9, metric="cosine")["value"], found["value"])
    some = qualities(np.where(np.arange(30) % 3 == 0, np.nan, labels))  # these have no part in purity alone
    assert set(found.index[~np.isclose(some["value"], found["value"])].get_level_values(1)) == {"map_purity"}


def test_answers_become_labels_by_the_most_probable_grade_and_one_half():
    rows = answers([[1, 0, 1]] * 2, [[0.5, 0.49, 0.9], [0.1, 0.8, 0.2]], p_overall=[0.3, 0.45, 0.25])
    labels = latent.answers_as_labels(rows, 3)
    assert labels.to_numpy().T.tolist() == [[1, 1], [1, 0], [0, 1], [1, 0]]
    assert latent.answers_as_labels(rows, 1)["overall"].tolist() == [0, 0]


def test_shares_by_hand_and_a_detail_that_nobody_judged_left_out():
    labels = [[0, 1, np.nan]] * 6 + [[1, 1, np.nan]] * 4
    probs = [[[0.9, 0.9, 0.9]] * 10, [[0.9, 0.9, 0.9]] * 8 + [[0.1, 0.9, 0.9]] * 2]
    rows = answers(labels, probs, model="multi_task@grades")
    found = latent.shares_of_good(pd.concat([rows, rows.assign(model="teacher")]), n_resamples=200)
    assert set(found["target"]) == {"illumination", "clarity"}
    assert len(found) == 2 + 2 * 4  # the experts once, and two rows per model
    keys = {"target": "illumination", "metric": "share_good"}
    experts = find(found, model="experts", method="count", **keys)
    assert (experts["value"], experts["n"], experts["seeds"]) == (0.4, 10, ())
    assert find(found, model="teacher", method="mean", **keys)["value"] == pytest.approx(0.9)
    gap = find(found, model="experts", rival="multi_task@grades", **keys)
    assert gap["value"] == pytest.approx(-0.5)
    assert gap["low"] < -0.5 < gap["high"] < 0
    clear = find(found, model="experts", rival="teacher", **keys | {"target": "clarity"})
    assert clear[["value", "low", "high"]].tolist() == [0, 0, 0]


@pytest.mark.parametrize("knob", [{"confidence": 0.5}, {"n_resamples": 30}, {"seed": 1}])
def test_knobs_of_the_shares_are_alive(knob):
    base = latent.shares_of_good(drawn(0.3), n_resamples=50)
    other = latent.shares_of_good(drawn(0.3), **{"n_resamples": 50} | knob)
    assert base["low"].tolist() != other["low"].tolist()


def test_shares_of_neighbours_have_one_row_per_pair_of_grades():
    mixture = pd.DataFrame({"bad": [0.75, np.nan], "good": [0.25, 1.0]}, index=["bad", "good"])
    rows = latent.mixture_rows(mixture, dataset="fives", seeds=(0, 1))
    found = rows[["group", "metric", "value", "method", "dataset"]].to_numpy().tolist()
    assert found == [
        ["bad", "neighbours_bad", 0.75, "mean", "fives"],
        ["bad", "neighbours_good", 0.25, "mean", "fives"],
        ["good", "neighbours_good", 1.0, "mean", "fives"],  # nobody has asked for what is missing
    ]
