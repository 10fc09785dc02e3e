import base64

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from riqa.assess.answers import Answer, assess, speaks_against
from riqa.assess.photographs import read_ahead
from riqa.assess.pictures import SIDE, crop_for_page, data_uri, heat_map, overlay
from riqa.data.fov import read_and_crop
from riqa.evaluate.explain import grad_cam
from riqa.labels import DETAILS
from riqa.learn.model import load_model


def test_the_picture_is_the_same_crop_larger(lab):
    path = lab.photographs(1)[0]
    small = read_and_crop(path, 32)[0]
    picture = crop_for_page(Answer(path, {"good": 1.0}, {}, [], None, small))
    assert picture.shape == (SIDE, SIDE, 3)
    again = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.abs(again.astype(int) - small).mean() < 4


def test_without_a_field_it_is_the_whole_photograph(tmp_path):
    Image.new("RGB", (800, 400), (10, 20, 200)).save(tmp_path / "blue.png")
    picture = crop_for_page(Answer(tmp_path / "blue.png", {}, {}, [], "no fundus"))
    assert picture.shape == (SIDE // 2, SIDE, 3)
    assert (picture == (10, 20, 200)).all()


def test_a_file_that_has_vanished_has_no_picture(tmp_path):
    assert crop_for_page(Answer(tmp_path / "gone.png", {}, {}, [], "no fundus")) is None


def test_the_heat_map_is_that_of_what_most_speaks_against(lab):
    model, _ = load_model(lab.stem)
    for answer in assess(model, None, read_ahead(lab.photographs(6), 32)):
        heat, claim, p = heat_map(model, answer)
        images = torch.from_numpy(answer.crop.astype(np.float32).transpose(2, 0, 1)[None] / 255)
        faults = {("details", k): 1 - answer.details[detail] for k, detail in enumerate(DETAILS)}
        faults["overall", 0] = answer.overall["reject"]
        task, target = max(faults, key=faults.get)
        np.testing.assert_allclose(heat, grad_cam(model, images, task=task, target=target)[0], atol=1e-5)
        assert (claim, p) == speaks_against(answer)[2:]
        assert p == max(faults.values())


def test_an_overlay_leaves_what_is_cold_and_what_is_outside():
    image = np.full((40, 40, 3), 100, np.uint8)
    image[:, :10] = 0
    heat = np.zeros((4, 4), np.float32)
    assert np.array_equal(overlay(image, heat), image)
    heat[:, 2:] = 1.0
    told = overlay(image, heat)
    assert (told[:, :10] == 0).all()
    assert np.abs(told[:, 35].astype(int) - 100).min() > 10


def test_a_data_uri_holds_the_picture():
    image = np.zeros((32, 48, 3), np.uint8)
    image[..., 0] = 200
    kind, _, content = data_uri(image).partition(",")
    assert kind == "data:image/jpeg;base64"
    back = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.abs(back.astype(int) - image).max() < 8
    with pytest.raises((ValueError, cv2.error)):
        data_uri(np.zeros((0, 4, 3), np.uint8))
