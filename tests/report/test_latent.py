"""Records and frames about the shared representation, on small spaces whose structure is known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import pairwise_distances

from riqa.evaluate.neighbourhoods import patient_permutations, together
from riqa.report.latent import (
    answers_as_labels,
    difference_frame,
    fitting_k,
    measure_structure,
    neighbour_records,
    neighbour_shares,
    structure_frame,
    structure_records,
)
from tests.report.details_cases import answers

N, SEEDS = 40, (0, 1)
PATIENTS = np.arange(N) // 2
OVERALL = np.repeat([0.0, 1.0, 2.0, 2.0], N // 4)


def spaces(gap, noise=0):
    """Distances of two seeds in which grades lie `gap` apart."""
    rng = np.random.default_rng(noise)
    return {s: pairwise_distances(gap * OVERALL[:, None] + rng.normal(size=(N, 2))) for s in SEEDS}


def truth(**columns):
    return dict.fromkeys(SEEDS, pd.DataFrame({"overall": OVERALL, **columns}))


def measure(gap=2.0, model="multi_task", labels=None, k=6, n_permutations=50, **options):
    labels = labels or truth()
    return measure_structure(
        model, spaces(gap), labels, PATIENTS, k=k, n_permutations=n_permutations, **options
    )


def test_values_are_means_over_seeds_and_chance_is_shared():
    purity, silhouette = measure()
    assert (purity.measure, silhouette.measure, purity.label, purity.n, purity.k) == (
        "purity", "silhouette", "overall", N, 6,
    )  # fmt: skip
    permutations = patient_permutations(PATIENTS, 50, 0)
    each = [
        together(space, OVERALL, PATIENTS, k=6, permutations=permutations) for space in spaces(2).values()
    ]
    row = structure_frame([purity, silhouette], n_resamples=50).set_index("measure")
    for name in ("purity", "silhouette"):
        assert row.loc[name, "value"] == pytest.approx(np.mean([one[name].value for one in each]))
        permuted = np.mean([one[name].permuted for one in each], axis=0)
        assert row.loc[name, "chance"] == pytest.approx(permuted.mean())
        assert row.loc[name, "chance_high"] == pytest.approx(np.quantile(permuted, 0.975))
        as_well = (1 + (permuted >= row.loc[name, "value"]).sum()) / 51
        assert row.loc[name, "p_value"] == pytest.approx(as_well)
    assert row.loc["purity", "above_chance"] == pytest.approx(
        (row.loc["purity", "value"] - row.loc["purity", "chance"]) / (1 - row.loc["purity", "chance"])
    )


def test_intervals_lie_around_the_value_and_within_what_can_be():
    far = structure_frame(measure(gap=50), n_resamples=200).set_index("measure")
    assert far.loc["purity", ["value", "low", "high"]].tolist() == [1, 1, 1]
    near = structure_frame(measure(gap=0.7), n_resamples=200)
    assert (near["low"] < near["value"]).all()
    assert (near["value"] < near["high"]).all()
    assert (near["high"] <= 1).all()


def test_every_knob_is_alive():
    def numbers(frame_options=None, **options):
        return structure_frame(measure(gap=0.7, **options), **{"n_resamples": 50} | (frame_options or {}))

    base = numbers()
    for column, options in {
        "value": {"k": 3}, "chance": {"seed": 1}, "chance_low": {"n_permutations": 20},
    }.items():  # fmt: skip
        assert not np.allclose(numbers(**options)[column], base[column]), options
    for options in ({"confidence": 0.5}, {"n_resamples": 20}, {"seed": 3}):
        assert not np.allclose(numbers(options)["low"], base["low"]), options
    assert numbers(prefix="map_")["measure"].tolist() == ["map_purity", "map_silhouette"]


def test_unknown_labels_are_left_out_and_hopeless_ones_skipped():
    some = np.where(np.arange(N) < 12, np.arange(N) % 2, np.nan)
    once = np.where(np.arange(N) == 0, 0.0, 1.0)
    found = measure(labels=truth(illumination=some, clarity=once, contrast=np.full(N, np.nan)))
    assert [one.label for one in found] == ["overall", "overall", "illumination", "illumination"]
    assert (found[2].n, found[2].k, found[2].by_patient.shape) == (12, 3, (2, 6))
    assert structure_frame([]).empty


def test_labels_may_differ_between_seeds():
    by_seed = {0: truth()[0], 1: pd.DataFrame({"overall": OVERALL[::-1]})}
    mixed, plain = measure(labels=by_seed)[0], measure()[0]
    assert mixed.by_patient[0] == pytest.approx(plain.by_patient[0])
    assert mixed.by_patient[1].mean() < 0.7 < plain.by_patient[1].mean()


def test_differences_are_paired_and_zero_against_oneself():
    structures = measure(2.0) + measure(0.3, model="single_task") + measure(2.0, model="teacher")
    pairs = [("multi_task", "single_task"), ("multi_task", "teacher"), ("multi_task", "nobody")]
    frame = difference_frame(structures, pairs, n_resamples=200).set_index(["model", "measure"])
    values = structure_frame(structures, n_resamples=10).set_index(["model", "measure"])["value"]
    assert len(frame) == 4
    gap = frame.loc[("multi_task-single_task", "purity")]
    assert gap["value"] == pytest.approx(values["multi_task", "purity"] - values["single_task", "purity"])
    assert gap["low"] > 0
    assert frame.loc[("multi_task-teacher", "purity"), ["low", "high"]].tolist() == [0, 0]
    wide = difference_frame(structures, pairs[:1], n_resamples=200, confidence=0.5, seed=1)
    assert wide["low"].iloc[0] > gap["low"]


def test_records_say_what_was_measured():
    frame = structure_frame(measure(), n_resamples=20)
    records = {item.name: item for item in structure_records("obs", frame)}
    assert list(records) == [
        "latent.obs.multi_task.overall.purity", "latent.obs.multi_task.overall.purity_chance",
        "latent.obs.multi_task.overall.silhouette", "latent.obs.multi_task.overall.silhouette_chance",
    ]  # fmt: skip
    assert records["latent.obs.multi_task.overall.purity"].seeds == SEEDS
    both = measure() + measure(model="teacher")
    gaps = difference_frame(both, [("multi_task", "teacher")], n_resamples=20)
    names = [item.name for item in structure_records("obs", gaps)]
    assert names[0] == "latent.obs.multi_task-teacher.overall.purity"
    assert len(names) == 2


def test_neighbours_of_well_parted_grades_are_of_the_same_grade():
    table = neighbour_shares(spaces(50), OVERALL, PATIENTS, 6, 3)
    assert np.diag(table).tolist() == [1, 1, 1]
    assert table.loc["all images"].tolist() == [0.25, 0.25, 0.5]
    half = neighbour_shares(spaces(2), np.where(OVERALL == 1, np.nan, OVERALL), PATIENTS, 6, 3)
    assert np.isnan(half.loc["usable images"]).all()
    assert half.loc["all images"].tolist() == [1 / 3, 0, 2 / 3]
    assert neighbour_shares(spaces(1), OVERALL, PATIENTS, 2, 3).iloc[0, 0] != \
        neighbour_shares(spaces(1), OVERALL, PATIENTS, 9, 3).iloc[0, 0]  # fmt: skip
    records = neighbour_records("obs", "multi_task", table, N, SEEDS)
    assert records[0].name == "latent.obs.multi_task.overall.neighbours.reject.reject"
    assert records[-1].name == "latent.obs.multi_task.overall.neighbours.all.good"


def test_neighbours_are_lowered_to_a_quarter():
    assert [fitting_k(10, n) for n in (160, 40, 24, 3)] == [10, 10, 6, 0]


def test_answers_become_labels_by_the_most_probable_grade_and_one_half():
    rows = answers([[1, 0, 1]] * 2, [[0.5, 0.49, 0.9], [0.1, 0.8, 0.2]], p_overall=[0.3, 0.45, 0.25])
    labels = answers_as_labels(rows, 3)
    assert labels["predicted_overall"].tolist() == [1, 1]
    assert labels["predicted_illumination"].tolist() == [1, 0]
    assert labels["predicted_clarity"].tolist() == [0, 1]
    assert answers_as_labels(rows, 1)["predicted_overall"].tolist() == [0, 0]
