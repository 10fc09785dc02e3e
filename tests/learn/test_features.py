import numpy as np
import pandas as pd
import pytest
import torch

from riqa.data.store import Store
from riqa.errors import InputError
from riqa.learn import inference
from riqa.learn.features import shared_features
from riqa.learn.model import QualityNet
from riqa.learn.predict import predict


@pytest.fixture
def store(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    table = pd.DataFrame({"image_id": list("abcdefg"), "dataset": "set", "patient_id": list("abcdefg")})
    table = table.assign(eye="left", split=["test", "val"] * 3 + ["test"])
    table[["overall", "illumination", "clarity", "contrast"]] = np.nan
    return Store(images, table, {}, tmp_path)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return QualityNet("resnet10", 3, 3, image_size=32)


def test_heads_turn_the_features_of_the_split_into_its_predictions(store, model):
    features = shared_features(model, store, "test", precision="float32")
    head = model.heads["details"]
    assert features.shape == (4, head.in_features)
    logits = features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    rows = predict(model, store, ("test",), precision="float32")
    assert rows["image_id"].tolist() == ["a", "c", "e", "g"]
    probs = rows[["p_illumination", "p_clarity", "p_contrast"]].to_numpy()
    assert 1 / (1 + np.exp(-logits)) == pytest.approx(probs, abs=1e-5)


def test_batches_do_not_matter_and_dropout_is_off(store, model, monkeypatch):
    model.train()
    whole = shared_features(model, store, "test", precision="float32")
    monkeypatch.setattr(inference, "images_at_a_time", lambda side, device: 3)
    assert shared_features(model, store, "test", precision="float32") == pytest.approx(whole, abs=1e-5)
    assert not model.training


def test_the_precision_is_alive(store, model):
    exact, rough = (shared_features(model, store, "test", precision=p) for p in ("float32", "bfloat16"))
    assert not np.array_equal(exact, rough)
    assert rough == pytest.approx(exact, abs=0.1)


def test_a_split_without_images_is_an_error_of_the_user(store, model):
    with pytest.raises(InputError, match="train"):
        shared_features(model, store, "train")
