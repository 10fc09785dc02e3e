"""Against scikit-learn where no patient has two images, against a plain loop where some have."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import pairwise_distances, silhouette_score
from sklearn.neighbors import NearestNeighbors

from riqa.evaluate import neighbourhoods as n
from riqa.evaluate.neighbourhoods import map_quality, patient_permutations, pca_map, tsne_map

NAMES = ("purity", "silhouette")


def cloud(size=40, gap=1.5, seed=0, share=0.4, per_patient=1):
    """Two labels whose points are apart by `gap` standard deviations along the first of three axes."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(size) < share).astype(int)
    points = rng.normal(size=(size, 3))
    points[:, 0] += gap * labels
    return pairwise_distances(points), labels, np.arange(size) // per_patient, points


def by_loop(distances, labels, groups, k):
    """Transcribe both definitions image by image."""
    shares, silhouettes = [], []
    for i in range(len(labels)):
        others = [j for j in range(len(labels)) if groups[j] != groups[i]]
        near = sorted(others, key=lambda j: distances[i, j])[:k]
        shares.append(sum(labels[j] == labels[i] for j in near) / k)
        means = {}
        for label in set(labels.tolist()):
            members = [distances[i, j] for j in others if labels[j] == label]
            if members:
                means[label] = sum(members) / len(members)
        own = means.pop(int(labels[i]), None)
        silhouettes.append(0.0 if own is None or not means else
                           (min(means.values()) - own) / max(min(means.values()), own))  # fmt: skip
    return np.mean(shares), np.mean(silhouettes)


def measure(distances, labels, groups, k=5, times=3):
    return n.together(distances, labels, groups, k=k, permutations=patient_permutations(groups, times))


def test_single_images_agree_with_scikit_learn():
    distances, labels, groups, points = cloud()
    found = measure(distances, labels, groups)
    near = NearestNeighbors(n_neighbors=6).fit(points).kneighbors(points, return_distance=False)[:, 1:]
    assert found["purity"].value == pytest.approx((labels[near] == labels[:, None]).mean())
    assert found["silhouette"].value == pytest.approx(silhouette_score(points, labels))


@pytest.mark.parametrize("more_labels", [False, True])
def test_patients_are_no_neighbours_of_themselves(more_labels):
    distances, labels, groups, _ = cloud(per_patient=2)
    if more_labels:
        labels[:10], labels[39] = 2, 3  # the last is the only one of its label: its silhouette is 0
    found = measure(distances, labels, groups)
    assert [found[name].value for name in NAMES] == pytest.approx(by_loop(distances, labels, groups, 5))


@pytest.mark.parametrize("index", [0, 1])
def test_what_a_patient_contributes_is_found_by_leaving_it_out(index):
    distances, labels, groups, _ = cloud(24, per_patient=2)
    labels[:6] = 2
    found = measure(distances, labels, groups, k=4)[NAMES[index]]
    without = []
    for patient in range(12):
        rest = groups != patient
        without.append(by_loop(distances[np.ix_(rest, rest)], labels[rest], groups[rest], 4)[index])
    assert found.by_patient.mean() == pytest.approx(found.value)
    centred = found.value - np.array(without)
    assert found.by_patient - found.value == pytest.approx(11 * (centred - centred.mean()))


@pytest.mark.parametrize("share", [0.5, 0.15])
def test_the_spread_is_that_of_repeated_studies_and_rather_too_large(share):
    """With skewed labels, asking drawn images against a fixed set would miss half of the spread."""
    values, estimated, naive = {name: [] for name in NAMES}, {name: [] for name in NAMES}, []
    for seed in range(150):
        distances, labels, groups, _ = cloud(80, seed=seed, share=share)
        for name, found in measure(distances, labels, groups, k=8, times=1).items():
            values[name].append(found.value)
            estimated[name].append(found.by_patient.std() / np.sqrt(80))
        near = n.neighbour_order(distances, groups, 8)[:, :8]
        naive.append((labels[near] == labels[:, None]).mean(axis=1).std() / np.sqrt(80))
    for name in NAMES:
        ratio = np.sqrt(np.mean(np.square(estimated[name]))) / np.std(values[name])
        assert 0.9 < ratio < 1.35, name
    if share < 0.5:
        assert np.mean(naive) < 0.75 * np.std(values["purity"])


def test_chance_is_what_counting_says():
    distances, labels, groups, _ = cloud(60, gap=3.0)
    found = measure(distances, labels, groups, times=400)
    counts = np.bincount(labels)
    expected = (counts * (counts - 1)).sum() / (60 * 59)
    assert found["purity"].permuted.mean() == pytest.approx(expected, abs=0.01)
    assert found["silhouette"].permuted.mean() == pytest.approx(0, abs=0.02)
    assert found["purity"].value > found["purity"].permuted.max()


def test_labels_are_shuffled_between_patients_as_wholes():
    groups = np.array(["c", "a", "b", "a", "b", "d", "e", "e", "e"])
    permutations = patient_permutations(groups, 50, seed=1)
    assert (np.sort(permutations, axis=1) == np.arange(9)).all()
    assert (permutations[:, 6:] == [6, 7, 8]).all()  # no other has three images
    assert {tuple(groups[row[[1, 3]]]) for row in permutations} == {("a", "a"), ("b", "b")}
    assert {groups[row[0]] for row in permutations} == {"c", "d"}
    assert not np.array_equal(permutations, patient_permutations(groups, 50, seed=2))


def test_the_number_of_neighbours_is_alive_and_checked():
    distances, labels, groups, _ = cloud()
    few, many = (measure(distances, labels, groups, k=k)["purity"].value for k in (2, 9))
    assert few != many
    for k in (0, 39):
        with pytest.raises(ValueError, match="from 1 to 38"):
            measure(distances, labels, groups, k=k)


def test_a_label_that_cannot_be_measured_is_refused():
    distances, _, groups, _ = cloud(6)
    assert not n.measurable([0, 0, 0, 0, 0, 1], groups)
    assert n.measurable([0, 0, 0, 0, 1, 1], groups)
    assert not n.measurable([0, 0, 0, 0, 1, 1], [0, 1, 2, 3, 4, 4])
    with pytest.raises(ValueError, match="two labels"):
        measure(distances, np.zeros(6), groups, k=2)


@pytest.fixture(scope="module")
def clusters():
    """Three clusters in ten dimensions, the last with a tenth of the others' spread."""
    noise = np.repeat([1.0, 1.0, 0.1], 20)[:, None] * np.random.default_rng(0).normal(size=(60, 10))
    return np.repeat(12 * np.eye(10)[:3], 20, axis=0) + noise


def test_a_perplexity_that_fits_stays_and_one_that_does_not_is_lowered():
    assert n.fitting_perplexity(30, 160) == 30
    assert n.fitting_perplexity(30, 24) == pytest.approx(23 / 3)


def test_tsne_keeps_clusters_together_and_evens_out_their_sizes(clusters):
    positions, labels = tsne_map(clusters, 10), np.repeat([0, 1, 2], 20)
    near = np.argsort(pairwise_distances(positions), axis=1)[:, 1:6]
    assert (labels[near] == labels[:, None]).mean() > 0.98
    spread = [positions[labels == k].std() for k in range(3)]
    truly = [clusters[labels == k].std(axis=0).mean() for k in range(3)]
    assert spread[2] / spread[0] > 3 * truly[2] / truly[0]


def test_the_same_call_gives_the_same_map_and_every_knob_another(clusters):
    first = tsne_map(clusters, 10, init="random")
    assert np.array_equal(first, tsne_map(clusters, 10, init="random"))
    for other in ({"seed": 1}, {"init": "pca"}, {"metric": "cosine"}, {"perplexity": 5}):
        assert not np.allclose(first, tsne_map(clusters, **{"perplexity": 10, "init": "random"} | other))


def test_pca_is_the_singular_value_decomposition(clusters):
    left, size, _ = np.linalg.svd(clusters - clusters.mean(axis=0), full_matrices=False)
    assert np.abs(pca_map(clusters)) == pytest.approx(np.abs(left[:, :2] * size[:2]))


def test_kept_neighbours_by_hand():
    here, there = (pairwise_distances(np.array(line)[:, None]) for line in ([0.0, 1, 3, 7], [0.0, 1, 9, 7]))
    assert n.neighbours_kept(here, here, 2) == 1
    assert n.neighbours_kept(here, there, 1) == pytest.approx(3 / 4)  # the third has the last, not the second


def test_a_perfect_map_keeps_everything_and_a_shuffled_one_nothing(clusters):
    flat = clusters[:, :2]
    perfect = map_quality(flat, 5 * flat[:, ::-1], 5)
    names = ("trustworthiness", "neighbours_kept", "distance_ranks", "crowding_ranks")
    assert perfect == pytest.approx(dict.fromkeys(names, 1.0))
    shuffled = map_quality(flat, np.random.default_rng(0).permutation(flat), 5)
    assert shuffled["neighbours_kept"] < 0.25
    assert abs(shuffled["distance_ranks"]) < 0.2
    assert abs(shuffled["crowding_ranks"]) < 0.5
    assert shuffled["trustworthiness"] < 0.7


def test_quality_measures_distances_and_radii_as_defined(clusters):
    positions = pca_map(clusters)
    found = map_quality(clusters, positions, 5, metric="cosine")
    space, plane = pairwise_distances(clusters, metric="cosine"), pairwise_distances(positions)
    pairs = [(i, j) for i in range(60) for j in range(i)]
    ranks = spearmanr([space[p] for p in pairs], [plane[p] for p in pairs]).statistic
    assert found["distance_ranks"] == pytest.approx(ranks)
    radii = [[sorted(row)[5] for row in table] for table in (space, plane)]
    assert found["crowding_ranks"] == pytest.approx(spearmanr(*radii).statistic)
    more = map_quality(clusters, positions, 10, metric="cosine")
    assert found["neighbours_kept"] != more["neighbours_kept"]


def test_clouds_are_as_planted():
    positions, of = n.three_clouds(3)
    wide, far = n.cloud_ratios(positions, of)
    assert wide == pytest.approx(10, rel=0.25)
    assert far == pytest.approx(5, rel=0.1)
    assert not np.array_equal(positions, n.three_clouds(4)[0])
    square = np.array([[1.0, 0], [-1, 0], [10, 0.5], [10, -0.5], [0, 40], [0, 40]])
    assert n.cloud_ratios(square, np.repeat([0, 1, 2], 2)) == pytest.approx((2, 4))
