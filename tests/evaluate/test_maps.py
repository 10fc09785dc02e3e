import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import pairwise_distances

from riqa.evaluate.maps import (
    cloud_ratios,
    fitting_perplexity,
    map_quality,
    neighbours_kept,
    pca_map,
    three_clouds,
    tsne_map,
)


@pytest.fixture(scope="module")
def clusters():
    """Three clusters in ten dimensions, the last with a tenth of the others' spread."""
    rng = np.random.default_rng(0)
    centres = 12 * np.eye(10)[:3]
    spread = np.repeat([1.0, 1.0, 0.1], 20)[:, None]
    return np.repeat(centres, 20, axis=0) + spread * rng.normal(size=(60, 10))


def test_a_perplexity_that_fits_stays_and_one_that_does_not_is_lowered():
    assert fitting_perplexity(30, 160) == 30
    assert fitting_perplexity(30, 24) == pytest.approx(23 / 3)


def test_tsne_keeps_clusters_together_and_evens_out_their_sizes(clusters):
    positions = tsne_map(clusters, 10)
    labels = np.repeat([0, 1, 2], 20)
    near = np.argsort(pairwise_distances(positions), axis=1)[:, 1:6]
    assert (labels[near] == labels[:, None]).mean() > 0.98
    spread = [positions[labels == k].std() for k in range(3)]
    truly = [clusters[labels == k].std(axis=0).mean() for k in range(3)]
    assert spread[2] / spread[0] > 3 * truly[2] / truly[0]


def test_the_same_call_gives_the_same_map_and_every_knob_another(clusters):
    first = tsne_map(clusters, 10, init="random")
    assert np.array_equal(first, tsne_map(clusters, 10, init="random"))
    for other in ({"seed": 1}, {"init": "pca"}, {"metric": "cosine"}):
        assert not np.allclose(first, tsne_map(clusters, 10, **{"init": "random"} | other))
    assert not np.allclose(first, tsne_map(clusters, 5, init="random"))


def test_pca_is_the_singular_value_decomposition(clusters):
    centred = clusters - clusters.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    assert np.abs(pca_map(clusters)) == pytest.approx(np.abs(left[:, :2] * size[:2]))


def test_kept_neighbours_by_hand():
    line, moved = np.array([[0.0], [1], [3], [7]]), np.array([[0.0], [1], [9], [7]])
    here, there = pairwise_distances(line), pairwise_distances(moved)
    assert neighbours_kept(here, here, 2) == 1
    assert neighbours_kept(here, there, 1) == pytest.approx(3 / 4)  # the third has the last, not the second


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
    positions, cloud = three_clouds(3)
    wide, far = cloud_ratios(positions, cloud)
    assert wide == pytest.approx(10, rel=0.25)
    assert far == pytest.approx(5, rel=0.1)
    assert not np.array_equal(positions, three_clouds(4)[0])
    square = np.array([[1.0, 0], [-1, 0], [10, 0.5], [10, -0.5], [0, 40], [0, 40]])
    assert cloud_ratios(square, np.repeat([0, 1, 2], 2)) == pytest.approx((2, 4))
