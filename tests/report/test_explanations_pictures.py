"""Pictures show the map of what each network predicts, and what was planted."""

import numpy as np
import pandas as pd
import pytest
import torch

from riqa.data.curate import curate
from riqa.evaluate.explain import grad_cam
from riqa.labels import DETAILS, class_names
from riqa.learn.model import QualityNet
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.study import phantom_grades
from riqa.report.explanations_pictures import detail_pictures, overall_pictures, planted_notes


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    return curate(phantom_grades(root / "p", n_train=4, n_test=6, size=64), root / "s", 32)


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    nets = [QualityNet("resnet10", n_overall=3, n_details=3, image_size=32).eval() for _ in range(2)]
    return dict(zip(("Before", "After"), nets, strict=True))


def image_of(store, image_id):
    row = store.manifest["image_id"].tolist().index(image_id)
    return torch.from_numpy(store.images[row : row + 1].copy()).permute(0, 3, 1, 2).float() / 255


def test_overall_pictures_explain_the_class_that_is_predicted(store, networks):
    ids = store.manifest["image_id"].tolist()[4:6]
    chosen = pd.DataFrame({"image_id": ids, "question": "overall", "truth": [0, 2]})
    found = overall_pictures(chosen, store, networks, 4, {ids[0]: "dust 0.5"})
    assert [p.truth for p in found] == ["truth: reject", "truth: good"]
    assert [p.note for p in found] == ["dust 0.5", ""]
    for picture, image_id in zip(found, ids, strict=True):
        image = image_of(store, image_id)
        np.testing.assert_allclose(picture.image, image[0].permute(1, 2, 0), atol=1e-6)
        for (saliency, text), (label, net) in zip(picture.maps, networks.items(), strict=True):
            with torch.no_grad():
                probs = torch.softmax(net(image)["overall"], 1)[0]
            assert text == f"{label}: {class_names(3)[int(probs.argmax())]} {probs.max():.2f}"
            wanted = grad_cam(net, image, task="overall", target=int(probs.argmax()))[0]
            np.testing.assert_allclose(saliency, wanted, atol=1e-4)
        with torch.no_grad():
            details = torch.sigmoid(networks["After"](image)["details"])[0]
        np.testing.assert_allclose(picture.details, details, atol=1e-5)


def test_detail_pictures_ask_what_speaks_for_bad(store, networks):
    image_id = store.manifest["image_id"].iloc[4]
    chosen = pd.DataFrame({"image_id": image_id, "question": ["clarity", "contrast"], "truth": [0, 1]})
    found = detail_pictures(chosen, store, networks, 4)
    assert [p.truth for p in found] == ["clarity: bad", "contrast: good"]
    image = image_of(store, image_id)
    for picture, detail in zip(found, ("clarity", "contrast"), strict=True):
        for (saliency, text), (label, net) in zip(picture.maps, networks.items(), strict=True):
            target = DETAILS.index(detail)
            with torch.no_grad():
                p = float(torch.sigmoid(net(image)["details"])[0, target])
            assert text == f"{label}: {'good' if p >= 0.5 else 'bad'} {p:.2f}"
            wanted = grad_cam(net, image, task="details", target=target)[0]
            np.testing.assert_allclose(saliency, wanted, atol=1e-4)


def test_notes_name_the_two_strongest_defects():
    rows = [{"dust": 0.5, "halo": 0.92, "haze": 0.3}, {"flash_spot": 0.05}, {"defocus": 0.2}]
    truth = pd.DataFrame([dict.fromkeys(DEFECTS, 0.0) | row for row in rows]).assign(image_id=list("abc"))
    assert planted_notes(truth, ["a", "b"]) == {"a": "halo 0.9\ndust 0.5", "b": "nothing planted"}
    assert planted_notes(truth, ["b"], least=0.01) == {"b": "flash spot 0.1"}
