import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageEnhance

from riqa.data.adapters import load
from riqa.data.audit import audit
from riqa.data.inspection import inspect_images, inspect_sets
from tests.data.layouts import write_fives, write_image, write_mshf, write_table
from tests.data.reports import found, one, small_eyeq


@pytest.fixture
def eyeq(tmp_path):
    return small_eyeq(tmp_path / "eyeq")


def test_unreadable_images_are_named_with_reasons(eyeq):
    (eyeq / "train" / "100_left.jpeg").write_bytes(b"no image")
    whole = (eyeq / "train" / "101_left.jpeg").read_bytes()
    (eyeq / "train" / "101_left.jpeg").write_bytes(whole[: len(whole) - 60])
    finding = one(audit("eyeq", eyeq), "images-unreadable")
    assert finding.severity == "warning"
    assert finding.items[0] == "100_left: not an image file"
    assert finding.items[1].startswith("101_left: truncated")
    assert "2 of 56 images cannot be read" in finding.message
    assert not found(audit("eyeq", eyeq, images=False), "images-unreadable")


def test_copies_across_splits_and_within_are_found(eyeq):
    shutil.copy(eyeq / "test" / "200_left.jpeg", eyeq / "test" / "201_right.jpeg")
    write_image(eyeq / "test" / "203_left.jpeg", (300, 300))
    image = Image.open(eyeq / "test" / "203_left.jpeg")
    shutil.copy(eyeq / "test" / "200_right.jpeg", eyeq / "train" / "105_left.jpeg")
    changed = ImageEnhance.Brightness(image.resize((240, 240))).enhance(1.05)
    changed.save(eyeq / "train" / "110_right.jpeg", quality=80)
    report = audit("eyeq", eyeq)
    across = one(report, "near-duplicates-across-splits")
    assert across.severity == "warning"
    assert {frozenset(item.split(" ~ ")) for item in across.items} == {
        frozenset({"105_left", "200_right"}),
        frozenset({"110_right", "203_left"}),
    }
    within = one(report, "near-duplicates")
    assert (within.severity, within.items) == ("info", ("200_left ~ 201_right",))
    assert "1 of them have different overall labels" in within.message  # good and reject
    assert report.usable


def test_jobs_change_nothing(eyeq):
    (eyeq / "train" / "100_left.jpeg").write_bytes(b"no image")
    shutil.copy(eyeq / "test" / "200_right.jpeg", eyeq / "train" / "105_left.jpeg")
    assert audit("eyeq", eyeq, jobs=2) == audit("eyeq", eyeq, jobs=1)


def test_a_photograph_is_judged_upright_and_whole(tmp_path):
    """Sizes are those of the whole upright photograph, not of the reduced scale that is read."""
    root, exif = write_table(tmp_path), Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (800, 1200, 3), dtype=np.uint8))
    image.save(sorted((root / "photos").iterdir())[0], "JPEG", exif=exif)
    assert "largest 800 x 1200" in one(audit("table", root), "image-sizes").message


def resized(root, size):
    """Write the photograph of row k of a table anew, in `size(k, camera)`."""
    labels = pd.read_csv(root / "labels.csv", dtype=str)
    for k, (name, camera) in enumerate(zip(labels["photo"], labels["camera"], strict=True)):
        if size(k, camera):
            write_image(next(root.glob(f"{name}*")), size(k, camera))
    return audit("table", root)


def test_sources_that_differ_in_size_are_named(tmp_path):
    report = resized(write_table(tmp_path, n=24), lambda k, camera: (60, 50) if camera == "one" else None)
    finding = one(report, "resolution-by-source")
    assert finding.severity == "warning"
    assert finding.items[0].startswith("one: shorter side 50 to 50, elsewhere")
    sizes = one(report, "image-sizes")
    assert "largest 60 x 50" in sizes.message
    assert sizes.items[0].startswith("one (24 images): all 60 x 50")


def test_sources_whose_sizes_overlap_are_not_named(tmp_path):
    report = resized(write_table(tmp_path, n=24), lambda k, camera: (40 + k % 7, 30 + k % 5))
    assert not found(report, "resolution-by-source")
    assert one(report, "image-sizes").message.startswith("sizes in pixels: smallest 40 x 30, median")


def test_group_of_mshf_that_its_resolution_tells_is_named_once(tmp_path):
    report = audit("mshf", write_mshf(tmp_path, groups={"DR-XJU": 24, "DR-ZJU": 24, "Healthy": 24}))
    (finding,) = [finding for finding in report.findings if "resolution" in finding.code]
    assert finding.code == "resolution-by-source"
    (item,) = finding.items
    assert item.startswith("DR-XJU: shorter side")


def two_details_sets(root):
    """Return MSHF and FIVES; the same photograph is in both, once saved again, once as the same file."""
    mshf, fives = write_mshf(root / "mshf"), write_fives(root / "fives")
    original = mshf / "Original"
    shutil.copy(fives / "test" / "Original" / "1_A.png", original / "Local1" / "Local1-1.jpg")
    write_image(original / "Healthy" / "Healthy-1.jpg", (300, 300))
    image = Image.open(original / "Healthy" / "Healthy-1.jpg")
    changed = ImageEnhance.Brightness(image.resize((240, 240))).enhance(0.95)
    changed.save(fives / "train" / "Original" / "7_D.png")
    return {"mshf": load("mshf", mshf), "fives": load("fives", fives)}


def test_a_photograph_that_is_in_two_sets_is_found(tmp_path):
    datasets = two_details_sets(tmp_path)
    found = inspect_sets(datasets)
    (between,) = [one for one in found if one[1].code == "near-duplicates-between-sets"]
    assert between[0] == "mshf and fives"
    assert set(between[1].items) == {"Local1-1 ~ test_1_A", "Healthy-1 ~ train_7_D"}
    assert between[1].severity == "warning"  # what MSHF has for training, FIVES has for testing
    assert "in 1 of them one is for testing and the other is not" in between[1].message
    alone = [(n, f) for n, d in datasets.items() for f in inspect_images(d.manifest, d.root)]
    assert [one for one in found if one != between] == alone
    assert inspect_sets(datasets, jobs=2) == found


def test_a_copy_that_no_test_sees_is_no_warning(tmp_path):
    datasets = two_details_sets(tmp_path)
    training = {
        name: replace(one, manifest=one.manifest[one.manifest["split"] != "test"].reset_index(drop=True))
        for name, one in datasets.items()
    }
    (between,) = [one for _, one in inspect_sets(training) if one.code == "near-duplicates-between-sets"]
    assert (between.severity, between.items) == ("info", ("Healthy-1 ~ train_7_D",))


def test_sets_that_share_nothing_have_no_finding_about_both(tmp_path):
    datasets = {"fives": load("fives", write_fives(tmp_path / "fives"))}
    datasets["mshf"] = load("mshf", write_mshf(tmp_path / "mshf"))
    assert not [one for name, one in inspect_sets(datasets) if " and " in name]
