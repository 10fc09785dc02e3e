from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from riqa.errors import InputError
from riqa.learn import novelty as module
from riqa.learn.bands import N_NUMBERS, colour_bands
from riqa.learn.examples import unlabelled
from riqa.learn.mixture import Mixture
from riqa.learn.model import QualityNet
from riqa.learn.novelty import Novelty, fit_novelty, load_novelty, save_novelty
from riqa.learn.stages import outputs_with_stages, stages_of

SIDE = 32
NOTHING = Mixture(np.ones(1), np.zeros((1, N_NUMBERS)), np.eye(N_NUMBERS)[None])


def images(n, seed, level=120.0):
    rng = np.random.default_rng(seed)
    return rng.normal(level, 25, (n, SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    return QualityNet("resnet10", 3, 3, image_size=SIDE).eval()


@pytest.fixture(scope="module")
def fitted(model):
    with pytest.MonkeyPatch.context() as patch:  # what it is compared with is computed in float32
        patch.setattr("riqa.learn.inference.resolve_precision", lambda *_: "float32")
        return fit_novelty(model, unlabelled(images(80, 0)), unlabelled(images(30, 1)))


def outputs(model, pixels):
    with torch.inference_mode():
        return outputs_with_stages(model, torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255)


def scores(model, novelty, pixels):
    return novelty.scores(outputs(model, pixels), pixels)


def test_a_view_is_measured_by_its_validation_images(model, fitted):
    """0 is their median, and 1 here their 90 % quantile, as three of 30 are to lie beyond it."""
    held_back, new = images(30, 1), images(5, 9)

    def views(pixels):
        pairs = zip(fitted.stages, stages_of(outputs(model, pixels)), strict=True)
        network = sum(stage.distances(features) for stage, features in pairs)
        return np.column_stack([network, fitted.bands.surprise(colour_bands(pixels))])

    usual, one = np.percentile(views(held_back), [50, 90], axis=0)
    expected = (views(new) - usual) / (one - usual)
    np.testing.assert_allclose(scores(model, fitted, new), expected, rtol=1e-2, atol=1e-2)


def test_brighter_images_than_ever_seen_are_new(model, fitted):
    alike, brighter = (scores(model, fitted, images(40, 5, level)).max(axis=1) for level in (120.0, 200.0))
    assert np.mean(alike > fitted.threshold()) < 0.2
    assert (brighter > fitted.threshold(1.0)).all()


def test_another_colour_is_seen_where_the_network_sees_nothing(model, fitted):
    """Grey noise in place of coloured, as bright and as strong: a matter of how channels go together."""
    grey = np.repeat(images(20, 7)[..., :1], 3, axis=3)
    blind = replace(fitted, stages=tuple(replace(stage, median=1e9) for stage in fitted.stages))
    assert (scores(model, blind, grey)[:, 1] > fitted.threshold(1.0)).all()


def test_the_limit_stands_on_the_largest_view_by_hand():
    """Five images; medians 2 and 20, 75 % quantiles 3 and 30, so units of 1 and 10."""
    validation = np.array([[0.0, 40.0], [1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 0.0]])
    novelty = Novelty((), NOTHING, validation)
    # The largest are 2 (the colours of the first), -1, 0, 1 and 2 (what the network sees of the last).
    assert novelty.threshold(1.0) == pytest.approx(2.0)
    assert novelty.threshold(0.5) == pytest.approx(1.0)
    assert novelty.threshold(0.33) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("n", "quantile", "rank"),
    [(100, 0.98, 99), (100, 0.5, 51), (100, 1.0, 100), (12, 0.98, 12), (199, 0.98, 196)],
)
def test_the_threshold_is_a_validation_score(n, quantile, rank):
    column = np.arange(1.0, n + 1)
    usual, one = np.quantile(column, [0.5, min(max(1 - 3 / n, 0.75), 0.99)])
    novelty = Novelty((), NOTHING, np.column_stack([column, column]))
    assert novelty.threshold(quantile) == pytest.approx((rank - usual) / (one - usual))


@pytest.mark.parametrize(("n", "quantile", "most"), [(10, 0.9, 0.13), (99, 0.9, 0.13), (300, 0.99, 0.015)])
def test_false_alarms_are_about_as_rare_as_stated(n, quantile, most):
    """Over many draws of validation images and one more of their kind, in two views that are independent."""
    rng = np.random.default_rng(0)
    alarms = []
    for _ in range(2000):
        novelty = Novelty((), NOTHING, rng.exponential(size=(n, 2)))
        another = novelty._in_units(rng.exponential(size=(1, 2)))
        alarms.append(another.max() > novelty.threshold(quantile))
    assert (1 - quantile) / 2 < np.mean(alarms) < most


@pytest.mark.parametrize("quantile", [0.0, 1.1])
def test_a_quantile_is_a_share(fitted, quantile):
    with pytest.raises(ValueError, match=str(quantile)):
        fitted.threshold(quantile)


def test_what_is_written_is_read(model, fitted, tmp_path):
    save_novelty(fitted, tmp_path / "m-s0")
    assert [file.name for file in tmp_path.iterdir()] == ["m-s0.novelty.safetensors"]
    again = load_novelty(tmp_path / "m-s0")
    new = images(5, 9)
    np.testing.assert_allclose(scores(model, again, new), scores(model, fitted, new), rtol=1e-2, atol=1e-2)
    assert again.threshold() == pytest.approx(fitted.threshold(), rel=1e-2)


def test_no_file_is_none_and_a_torn_one_is_an_error(fitted, tmp_path):
    assert load_novelty(tmp_path / "m") is None
    save_novelty(fitted, tmp_path / "m")
    file = tmp_path / "m.novelty.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"m\.novelty\.safetensors: cut short.*train the model again"):
        load_novelty(tmp_path / "m")


def test_a_file_of_before_the_colours_says_so(fitted, tmp_path):
    save_novelty(fitted, tmp_path / "m")
    file = tmp_path / "m.novelty.safetensors"
    old = {name: values for name, values in load_file(file).items() if not name.startswith("bands.")}
    save_file(old | {"validation": old["validation"][:, 0].copy()}, file)
    with pytest.raises(InputError, match=r"m\.novelty\.safetensors: .*older versions.*train the model again"):
        load_novelty(tmp_path / "m")


def test_another_network_is_refused(fitted):
    other = QualityNet("resnet18", 3, 0, image_size=SIDE).eval()
    with pytest.raises(ValueError, match="stages are"):
        scores(other, fitted, images(2, 0))


def test_of_many_training_images_some_are_enough(model, monkeypatch):
    def spread(most, most_photographs):
        monkeypatch.setattr(module, "MOST_IMAGES", most)
        monkeypatch.setattr(module, "MOST_PHOTOGRAPHS", most_photographs)
        return fit_novelty(model, unlabelled(images(40, 0)), unlabelled(images(10, 1))).validation

    all_of_them, more_than_there_are, few = spread(40, 40), spread(1000, 1000), spread(10, 20)
    assert np.array_equal(all_of_them, more_than_there_are)
    assert not np.isclose(all_of_them, few).all(axis=0).any()


@pytest.mark.parametrize("n", [2, 5, 33])
def test_few_images_of_ones_own_are_enough(model, n):
    novelty = fit_novelty(model, unlabelled(images(n, 0)), unlabelled(images(n, 1)))
    assert np.isfinite(scores(model, novelty, images(3, 2))).all()
    assert np.isfinite(novelty.threshold())


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("0.scale"),
        lambda tensors: tensors.update({"0.mean": tensors["0.mean"][:-1]}),
        lambda tensors: tensors.update({"0.precision": tensors["0.precision"] * np.nan}),
        lambda tensors: tensors.update({"0.median": np.zeros(1, np.float32)}),
        lambda tensors: tensors.update({"validation": tensors["validation"][:0]}),
        lambda tensors: tensors.update({"validation": tensors["validation"] * np.nan}),
        lambda tensors: tensors.pop("bands.means"),
        lambda tensors: tensors.update({"bands.roots": tensors["bands.roots"][:, :-1]}),
        lambda tensors: tensors.update({"bands.roots": tensors["bands.roots"] * 0}),
        lambda tensors: tensors.update({"bands.weights": -tensors["bands.weights"]}),
    ],
)
def test_numbers_that_no_fit_gave_are_refused(fitted, tmp_path, change):
    save_novelty(fitted, tmp_path / "m")
    file = tmp_path / "m.novelty.safetensors"
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)
    with pytest.raises(InputError, match=r"m\.novelty\.safetensors: cut short or no such file.*train"):
        load_novelty(tmp_path / "m")
