import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from riqa.evaluate.maps import map_quality, neighbours_kept, pca_map
from riqa.report.latent_maps import (
    COLUMNS,
    PCA,
    first_maps,
    maps_again,
    trust_for_page,
    trust_frame,
    trust_records,
)

LABELS = np.repeat([0.0, 1.0], 15)
GROUPS = np.arange(30)


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(0).normal(size=(30, 6)) + 2 * LABELS[:, None]


@pytest.fixture(scope="module")
def maps(features):
    return maps_again(features, [5, 30, 50], [0, 1])


def test_perplexities_are_lowered_and_each_drawn_once_a_seed(features, maps):
    assert list(maps) == ["perplexity 5", "perplexity 9.67", PCA]
    assert [len(found) for found in maps.values()] == [2, 2, 1]
    assert not np.allclose(maps["perplexity 5"][0], maps["perplexity 5"][1])
    assert np.array_equal(maps[PCA][0], pca_map(features))
    cosine = maps_again(features, [5], [0], metric="cosine")
    assert not np.allclose(cosine["perplexity 5"][0], maps["perplexity 5"][0])


def test_the_kind_nearest_to_the_perplexity_is_shown_twice(maps):
    assert list(first_maps(maps, 30, 30)) == [
        "perplexity 5",
        "perplexity 9.67",
        "perplexity 9.67, again",
        PCA,
    ]
    shown = first_maps(maps, 6, 30)
    assert list(shown) == ["perplexity 5", "perplexity 5, again", "perplexity 9.67", PCA]
    assert shown["perplexity 5, again"] is maps["perplexity 5"][1]


def test_the_frame_holds_mean_least_and_most_of_the_starts(features, maps):
    frame = trust_frame(features, maps, LABELS, GROUPS, 5).set_index(["map", "measure"])
    each = [map_quality(features, found, 5)["trustworthiness"] for found in maps["perplexity 5"]]
    row = frame.loc[("perplexity 5", "trustworthiness")]
    assert row.tolist() == pytest.approx([np.mean(each), min(each), max(each)])
    shared = neighbours_kept(*(pairwise_distances(found) for found in maps["perplexity 5"]), 5)
    assert frame.loc[("perplexity 5", "shared"), "value"] == shared
    assert np.isnan(frame.loc[(PCA, "shared"), "value"])
    near = np.argsort(pairwise_distances(maps[PCA][0]), axis=1)[:, 1:6]
    assert frame.loc[(PCA, "purity"), "value"] == pytest.approx((LABELS[near] == LABELS[:, None]).mean())
    other = trust_frame(features, maps, LABELS, GROUPS, 9, metric="cosine")
    assert not np.allclose(other["value"], frame["value"], equal_nan=True)


def test_unlabelled_images_count_for_the_map_and_not_for_purity(features, maps):
    some = np.where(np.arange(30) % 3 == 0, np.nan, LABELS)
    whole, part = (trust_frame(features, maps, labels, GROUPS, 5) for labels in (LABELS, some))
    same = whole["measure"] != "purity"
    assert np.allclose(whole.loc[same, "value"], part.loc[same, "value"], equal_nan=True)
    assert not np.allclose(whole.loc[~same, "value"], part.loc[~same, "value"])


def test_table_and_records(features, maps):
    frame = trust_frame(features, maps, LABELS, GROUPS, 5)
    html = trust_for_page(frame, "Trust").to_html()
    assert all(name in html for name in COLUMNS.values())
    assert html.index("perplexity 5") < html.index("perplexity 9.67") < html.index("PCA")
    records = {item.name: item.value for item in trust_records("obs", "multi_task", frame, 30)}
    assert records["latent.obs.multi_task.maps.perplexity_9_67.kept"] is not None
    assert records["latent.obs.multi_task.maps.PCA.shared"] is None
