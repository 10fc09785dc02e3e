import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from riqa.data.adapters import load
from riqa.data.audit import audit
from riqa.data.inspection import inspect_images, inspect_sets
from tests.data.expect import finding, items
from tests.data.files import exif
from tests.data.layouts import small_eyeq, write_fives, write_image, write_mshf, write_table


@pytest.fixture
def eyeq(tmp_path):
    return small_eyeq(tmp_path / "eyeq")


def save_again(source, target, factor):
    """Write a photograph of noise, and a copy of it at another size and brightness."""
    write_image(source, (300, 300))
    image = Image.open(source).resize((240, 240))
    ImageEnhance.Brightness(image).enhance(factor).save(target, quality=80)


def test_unreadable_images_are_named_with_reasons_and_jobs_change_nothing(eyeq):
    (eyeq / "train" / "100_left.jpeg").write_bytes(b"no image")
    whole = (eyeq / "train" / "101_left.jpeg").read_bytes()
    (eyeq / "train" / "101_left.jpeg").write_bytes(whole[:-60])
    shutil.copy(eyeq / "test" / "200_right.jpeg", eyeq / "train" / "105_left.jpeg")
    report = audit("eyeq", eyeq)
    told = finding(report, "images-unreadable")
    assert (told.severity, told.items[0]) == ("warning", "100_left: not an image file")
    assert told.items[1].startswith("101_left: truncated")
    assert "2 of 56 images cannot be read" in told.message
    assert audit("eyeq", eyeq, jobs=2) == report
    assert not items(audit("eyeq", eyeq, images=False), "images-unreadable")


def test_copies_across_splits_and_within_are_found(eyeq):
    shutil.copy(eyeq / "test" / "200_left.jpeg", eyeq / "test" / "201_right.jpeg")
    shutil.copy(eyeq / "test" / "200_right.jpeg", eyeq / "train" / "105_left.jpeg")
    save_again(eyeq / "test" / "203_left.jpeg", eyeq / "train" / "110_right.jpeg", 1.05)
    for stem in ("202_left", "202_right", "204_left"):  # a print says nothing of these, but they are one file
        Image.new("RGB", (16, 12)).save(eyeq / "test" / f"{stem}.jpeg")
    report = audit("eyeq", eyeq)
    across, within = (finding(report, f"near-duplicates{where}") for where in ("-across-splits", ""))
    pairs = {frozenset(item.split(" ~ ")) for item in across.items}
    assert pairs == {frozenset({"105_left", "200_right"}), frozenset({"110_right", "203_left"})}
    assert (across.severity, within.severity) == ("warning", "info")
    assert within.items == ("200_left ~ 201_right", "202_left ~ 202_right", "202_right ~ 204_left")
    assert "1 of them have different overall labels" in within.message  # good and reject
    assert report.usable


def test_a_photograph_is_judged_upright_and_whole(tmp_path):
    """Sizes are those of the whole upright photograph, not of the reduced scale that is read."""
    root = write_table(tmp_path)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (800, 1200, 3), dtype=np.uint8))
    image.save(sorted((root / "photos").iterdir())[0], "JPEG", exif=exif((274, 3, [6])))
    assert "largest 800 x 1200" in finding(audit("table", root), "image-sizes").message


@pytest.mark.parametrize("apart", [True, False])
def test_sources_are_named_if_their_sizes_do_not_overlap(tmp_path, apart):
    root = write_table(tmp_path, n=24)
    labels = pd.read_csv(root / "labels.csv", dtype=str)
    for k, (name, camera) in enumerate(zip(labels["photo"], labels["camera"], strict=True)):
        if camera == "one" or not apart:
            write_image(root / f"{name}.jpg", (60, 50) if apart else (40 + k % 7, 30 + k % 5))
    report = audit("table", root)
    told, sizes = finding(report, "resolution-by-source"), finding(report, "image-sizes")
    assert bool(told) == apart
    if apart:
        assert told.items[0].startswith("one: shorter side 50 to 50, elsewhere")
        assert "largest 60 x 50" in sizes.message
        assert sizes.items[0].startswith("one (24 images): all 60 x 50")
    else:
        assert sizes.message.startswith("sizes in pixels: smallest 40 x 30, median")


def test_a_photograph_that_is_in_two_sets_is_found(tmp_path):
    mshf, fives = write_mshf(tmp_path / "mshf"), write_fives(tmp_path / "fives")
    datasets = {"mshf": load("mshf", mshf), "fives": load("fives", fives)}
    assert not [one for name, one in inspect_sets(datasets) if " and " in name]
    # Once as the same file, once saved again.
    shutil.copy(fives / "test" / "Original" / "1_A.png", mshf / "Original" / "Local1" / "Local1-1.jpg")
    save_again(mshf / "Original/Healthy/Healthy-1.jpg", fives / "train/Original/7_D.png", 0.95)
    found = inspect_sets(datasets)
    name, told = found[-1]
    assert (name, told.code, told.severity) == ("mshf and fives", "near-duplicates-between-sets", "warning")
    assert set(told.items) == {"Local1-1 ~ test_1_A", "Healthy-1 ~ train_7_D"}
    # What MSHF has for training, FIVES has for testing.
    assert "in 1 of them one is for testing and the other is not" in told.message
    assert found[:-1] == [(n, f) for n, d in datasets.items() for f in inspect_images(d.manifest, d.root)]
    assert inspect_sets(datasets, jobs=2) == found
    training = {
        name: replace(one, manifest=one.manifest[one.manifest["split"] != "test"].reset_index(drop=True))
        for name, one in datasets.items()
    }
    told = inspect_sets(training)[-1][1]  # a copy that no test sees is no warning
    assert (told.severity, told.items) == ("info", ("Healthy-1 ~ train_7_D",))
