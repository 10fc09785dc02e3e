"""Which photographs are examined, on a small curated phantom set."""

import numpy as np
import pandas as pd

from riqa.phantom.repair import has_place
from riqa.studies.subjects import draw_located, draw_subjects

EVERY = ("illumination", "clarity", "contrast", "artifact")


def test_test_images_are_drawn_by_the_seed(graded_store):
    drawn, again, other = (draw_subjects(graded_store, 5, seed) for seed in (0, 0, 1))
    assert drawn.ids.equals(again.ids)
    assert not drawn.ids.equals(other.ids)
    chosen = graded_store.manifest.set_index("image_id").loc[drawn.ids["image_id"]]
    assert (chosen["split"] == "test").all()
    row = graded_store.manifest["image_id"].tolist().index(drawn.ids["image_id"][0])
    np.testing.assert_allclose(drawn.images[0].permute(1, 2, 0), graded_store.images[row] / 255, atol=1e-6)
    trained = draw_subjects(graded_store, 5, 0, "train").ids["image_id"]
    assert (graded_store.manifest.set_index("image_id").loc[trained, "split"] == "train").all()
    assert len(draw_subjects(graded_store, 1000, 0)) == (graded_store.manifest["split"] == "test").sum()


def test_located_images_follow_the_rule(photographs, graded_store, located):
    truth = pd.read_parquet(photographs / "truth.parquet").set_index("image_id")
    assert 1 <= len(located) <= 4
    assert len(located.places) == len(located.clean) == len(located)
    assert has_place(truth.loc[located.ids["image_id"]], EVERY).all()
    for places, field in zip(located.places, located.fields, strict=True):
        assert all(place.sum() <= 0.5 * field.sum() for name, place in places.items() if name != "all")
        single = [place for name, place in places.items() if name != "all"]
        np.testing.assert_array_equal(places["all"], np.any(single, axis=0))
    everyone = draw_located(graded_store, [photographs], EVERY, 1000, 1.0, seed=0)
    assert everyone.n_spread == 0
    tested = graded_store.manifest.loc[graded_store.manifest["split"] == "test", "image_id"]
    assert set(everyone.ids["image_id"]) == set(truth.index[has_place(truth, EVERY)]) & set(tested)
    strict = draw_located(graded_store, [photographs], EVERY, 1000, 0.1, seed=0)
    assert strict.n_spread + len(strict) == len(everyone)
    assert strict.n_spread > 0


def test_no_photograph_has_a_place_for_bad_contrast(photographs, graded_store):
    nobody = draw_located(graded_store, [photographs], ("contrast",), 4, 0.5, seed=0)
    assert len(nobody) == 0
    assert nobody.images.shape == nobody.clean.shape == (0, 3, 32, 32)
