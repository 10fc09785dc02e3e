"""Applying networks: examples of a store, as many at a time as memory allows, and the features behind answers."""

import numpy as np
import pandas as pd
import pytest
import torch

from riqa.data.store import Store
from riqa.errors import InputError
from riqa.learn import predict as module
from riqa.learn.examples import examples_of, to_images, with_pseudo_labels
from riqa.learn.model import QualityNet
from riqa.learn.predict import images_at_a_time, predict, predict_images, shared_features

CPU = torch.device("cpu")
DETAILS = ["illumination", "clarity", "contrast"]


@pytest.fixture
def store(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    table = pd.DataFrame({"image_id": list("abcdefg"), "dataset": "set", "patient_id": list("abcdefg")})
    table = table.assign(eye="left", split=["test", "val"] * 3 + ["test"], overall=[0, 1, 2, np.nan, 1, 0, 2])
    table[DETAILS] = np.nan
    table["clarity"] = 1.0
    return Store(images, table, {}, tmp_path)


@pytest.fixture
def model():
    return QualityNet("resnet10", 3, 3, image_size=32)


@pytest.mark.parametrize(("side", "count"), [(64, 64), (160, 10), (224, 5), (512, 1), (2048, 1)])
def test_a_batch_of_evaluation_has_about_as_many_pixels_whatever_the_side(side, count):
    assert images_at_a_time(side, CPU) == count
    assert images_at_a_time(side, torch.device("cuda")) == max(16_777_216 // side**2, 1)


def test_examples_are_the_split_with_its_targets_in_any_order(store):
    examples = examples_of(store, "val")
    assert examples.targets["overall"].tolist() == [1, -1, 0]
    assert examples.targets["details"].isnan().all(0).tolist() == [True, False, True]
    some = examples.at(torch.tensor([2, 0]))
    assert some.rows.tolist() == [5, 1]
    assert some.targets["overall"].tolist() == [0, 1]
    batch = to_images(some.pixels(torch.arange(2), CPU), CPU)
    assert np.array_equal((batch.permute(0, 2, 3, 1) * 255).round().numpy(), store.images[[5, 1]])
    for choose in (lambda: examples_of(store, "train"), lambda: shared_features(None, store, "train")):
        with pytest.raises(InputError, match="'train' holds no image"):
            choose()


def test_pseudo_labels_soft_and_hard(store, tmp_path):
    examples = examples_of(store, "test")
    answers = pd.DataFrame({"image_id": list("geca"), "p_illumination": 0.7, "p_clarity": 0.2})
    answers["p_contrast"] = np.linspace(0, 1, 4)  # in reversed order of images, to catch a positional join

    def taught(kind, answers=answers):
        return with_pseudo_labels(examples, store.manifest, answers, kind, tmp_path).targets["details"]

    assert taught("soft")[0].tolist() == pytest.approx([0.7, 0.2, 1.0])
    assert taught("hard")[[0, -1]].tolist() == [[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    some = answers.assign(p_clarity=[0.2, np.nan, 0.9, np.nan])  # of the images g, e, c and a
    for kind, labels in (("soft", [np.nan, 0.9, np.nan, 0.2]), ("hard", [np.nan, 1.0, np.nan, 0.0])):
        assert taught(kind, some)[:, 1].tolist() == pytest.approx(labels, nan_ok=True)
    with pytest.raises(ValueError, match="firm"):
        taught("firm")
    with pytest.raises(InputError, match="no pseudo-label for 1 images, first g"):
        taught("soft", answers.iloc[1:])


def test_heads_turn_the_features_of_the_split_into_its_predictions(store, model):
    features = shared_features(model, store, "test", precision="float32")
    head = model.heads["details"]
    assert features.shape == (4, head.in_features)
    logits = features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    rows = predict(model, store, ("test",), precision="float32")
    assert rows["image_id"].tolist() == ["a", "c", "e", "g"]
    probs = rows[[f"p_{detail}" for detail in DETAILS]].to_numpy()
    assert 1 / (1 + np.exp(-logits)) == pytest.approx(probs, abs=1e-5)
    alone = predict_images(model, store.images[::2])  # in no store, and in the precision of the processor
    assert alone[[f"p_{detail}" for detail in DETAILS]].to_numpy() == pytest.approx(probs, abs=0.05)


def test_batches_do_not_matter_dropout_is_off_and_the_precision_is_alive(store, model, monkeypatch):
    model.train()
    whole, rough = (shared_features(model, store, "test", precision=p) for p in ("float32", "bfloat16"))
    assert not np.array_equal(whole, rough)
    assert rough == pytest.approx(whole, abs=0.1)
    monkeypatch.setattr(module, "images_at_a_time", lambda side, device: 3)
    assert shared_features(model, store, "test", precision="float32") == pytest.approx(whole, abs=1e-5)
    assert not model.training
