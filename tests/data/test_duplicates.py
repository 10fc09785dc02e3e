import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from riqa.data.duplicates import MAX_BITS, MIN_CORRELATION, near_duplicates, take_print
from tests.data.expect import REAL, needs_data


def prints(images):
    """Return the stacked hashes and structures of images."""
    hashes, structures = zip(*(take_print(np.asarray(image)) for image in images), strict=True)
    return np.array(hashes), np.array(structures)


def saved_as_jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def copies(image):
    """Return the copies that the module promises to find."""
    smaller = image.resize((image.width * 4 // 5, image.height * 4 // 5), Image.Resampling.BILINEAR)
    cropped = image.crop((2, 2, image.width - 2, image.height - 2))
    return {
        "jpeg": saved_as_jpeg(image, 60),
        "smaller": smaller,
        "brighter": ImageEnhance.Brightness(image).enhance(1.05),
        "darker": ImageEnhance.Brightness(image).enhance(0.95),
        "cropped": cropped,
        "all": saved_as_jpeg(ImageEnhance.Brightness(cropped.resize(smaller.size)).enhance(1.05), 60),
    }


def eye(seed, side=256):
    """Draw a disc with branching dark lines: the same camera and shading for all, other vessels for each."""
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[:side, :side] / side - 0.5
    image = np.where(xs**2 + ys**2 < 0.23, 150 - 120 * (xs**2 + ys**2), 3.0)
    image += 60 * np.exp(-((xs - 0.2) ** 2 + ys**2) / 0.004)
    for _ in range(12):
        angle, bend, start = rng.uniform(0, np.pi), rng.uniform(-3, 3), rng.uniform(-0.2, 0.2, 2)
        along = (xs - start[0]) * np.cos(angle) + (ys - start[1]) * np.sin(angle)
        across = -(xs - start[0]) * np.sin(angle) + (ys - start[1]) * np.cos(angle) - bend * along**2
        image -= 50 * np.exp(-((across / 0.012) ** 2)) * (xs**2 + ys**2 < 0.22)
    rgb = np.stack([image * 1.2, image * 0.7, image * 0.4], axis=-1)
    return Image.fromarray((rgb + rng.normal(0, 2, rgb.shape)).clip(0, 255).astype(np.uint8))


def test_photographs_saved_again_are_found_and_other_eyes_and_blank_ones_are_no_copies():
    for kind, copy in copies(eye(0)).items():
        assert near_duplicates(*prints([eye(0), copy])) == [(0, 1)], kind
    hashes, structures = prints([eye(seed) for seed in range(40)])
    bits = (hashes[:, None] != hashes[None]).sum(axis=-1)[np.triu_indices(40, 1)]
    # Their hashes come near, as shading and field are the same; their vessels differ.
    assert bits.min() < 3 * MAX_BITS  # unrelated hashes are 128 bits apart
    assert near_duplicates(hashes, structures) == []
    black, grey = Image.new("RGB", (64, 64)), Image.new("RGB", (64, 64), (90, 90, 90))
    assert near_duplicates(*prints([black, black, grey, grey])) == []


@given(seed=st.integers(0, 2**31), n=st.integers(2, 40))
@settings(max_examples=25)
def test_pairs_are_those_of_two_loops(seed, n):
    rng = np.random.default_rng(seed)
    hashes = rng.random((n, 256)) < 0.5
    structures = rng.normal(size=(n, 812))
    structures /= np.linalg.norm(structures, axis=1, keepdims=True)
    for _ in range(n // 2):  # copies, some too far apart in bits, some in structure
        i, j = rng.integers(0, n, 2)
        hashes[j] = hashes[i] ^ (rng.random(256) < rng.choice([0.05, 0.15, 0.2]))
        mixed = structures[i] + rng.choice([0.0, 0.6, 0.9]) * structures[j]
        structures[j] = mixed / np.linalg.norm(mixed)
    structures = structures.astype(np.float16)
    wide = structures.astype(np.float32)
    expected = [
        (i, j)
        for i in range(n)
        for j in range(i + 1, n)
        if (hashes[i] != hashes[j]).sum() <= MAX_BITS and (wide[i] * wide[j]).sum() >= MIN_CORRELATION
    ]
    assert near_duplicates(hashes, structures) == expected


def test_blocks_do_not_hide_pairs(monkeypatch):
    rng = np.random.default_rng(1)
    hashes, structures = rng.random((50, 256)) < 0.5, rng.normal(size=(50, 812)) / 28.5
    hashes[[7, 31, 49]], structures[[7, 31, 49]] = hashes[3], structures[3]
    whole = near_duplicates(hashes, structures.astype(np.float16))
    monkeypatch.setattr("riqa.data.duplicates._ROWS", 4)
    monkeypatch.setattr("riqa.data.duplicates._PAIRS", 1)
    assert near_duplicates(hashes, structures.astype(np.float16)) == whole
    assert whole == [(3, 7), (3, 31), (3, 49), (7, 31), (7, 49), (31, 49)]


@needs_data
def test_on_real_thumbnails_copies_are_found_and_nothing_else():
    files = sorted((REAL / "eyeq" / "train").iterdir())[::6]
    images = [Image.open(file).convert("RGB") for file in files]
    hashes, structures = prints(images)
    assert near_duplicates(hashes, structures) == []
    changed = [copy for image in images[::20] for copy in copies(image).values()]
    more = prints(changed)
    pairs = near_duplicates(np.concatenate([hashes, more[0]]), np.concatenate([structures, more[1]]))
    found = {(i, j - len(images)) for i, j in pairs if i < len(images)}
    assert found == {(20 * (k // 6), k) for k in range(len(changed))}
