import numpy as np
import pandas as pd
import pytest
from PIL import Image

from riqa.data.curate import NO_FIELD, curate, field_numbers
from riqa.data.fov import crop_to_fov, find_fov
from riqa.data.read import read_photograph
from riqa.data.store import open_store
from riqa.errors import InputError
from tests.data.photographs import dataset, disc


def test_every_image_is_read_found_and_cropped(tmp_path):
    data = dataset(tmp_path / "photographs")
    store = curate(data, tmp_path / "store", 24)
    for k in (0, 7):
        image = read_photograph(data.root / data.manifest["path"][k])
        fov = find_fov(image)
        assert np.array_equal(store.images[k], crop_to_fov(image, fov, 24))
        row = pd.read_parquet(store.root / "fields.parquet").iloc[k]
        assert row.drop("image_id").to_dict() == field_numbers(fov)
    assert store.meta["findings"] == ["a finding"]


def test_workers_do_not_change_a_byte(tmp_path):
    data = dataset(tmp_path / "photographs", n=70)
    Image.new("RGB", (60, 60)).save(data.root / data.manifest["path"][40])
    for workers in (1, 2):
        curate(data, tmp_path / f"store{workers}", 16, workers=workers)
    names = sorted(path.name for path in (tmp_path / "store1").iterdir())
    assert len(names) == 5
    for name in names:
        assert (tmp_path / "store1" / name).read_bytes() == (tmp_path / "store2" / name).read_bytes()


def test_bad_photographs_are_set_aside_with_their_reason(tmp_path):
    data = dataset(tmp_path / "photographs", n=18)
    paths = [data.root / path for path in data.manifest["path"]]
    paths[1].write_bytes(paths[1].read_bytes()[:-400])
    paths[2].write_text("no image")
    paths[3].unlink()
    Image.new("RGB", (80, 60)).save(paths[4])
    store = curate(data, tmp_path / "store", 16)
    aside = pd.read_csv(store.root / "set_aside.csv").set_index("image_id")["reason"]
    assert aside.index.tolist() == ["i1", "i2", "i3", "i4"]
    assert aside["i1"].startswith("truncated")
    assert aside[["i2", "i3", "i4"]].tolist() == ["not an image file", "file is missing", NO_FIELD]
    assert store.meta["n_set_aside"] == 4
    assert "i1" not in set(store.manifest["image_id"])


def test_size_is_alive_and_a_new_store_replaces_the_old(tmp_path):
    data = dataset(tmp_path / "photographs")
    curate(data, tmp_path / "store", 16)
    curate(data, tmp_path / "store", 20)
    assert open_store(tmp_path / "store").images.shape[1:] == (20, 20, 3)


def test_split_that_loses_all_its_images_stops_the_curation(tmp_path):
    data = dataset(tmp_path / "photographs", n=6)
    for k in (2, 5):
        (data.root / data.manifest["path"][k]).write_bytes(b"")
    with pytest.raises(InputError, match=r"no image of split test can be used.*not an image"):
        curate(data, tmp_path / "store", 16)
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "store.partial").exists()


def test_impossible_arguments(tmp_path):
    data = dataset(tmp_path / "photographs", n=3)
    with pytest.raises(ValueError, match="size=0"):
        curate(data, tmp_path / "store", 0)
    with pytest.raises(ValueError, match="workers=0"):
        curate(data, tmp_path / "store", 16, workers=0)


def test_photograph_in_which_only_the_field_is_lit_fills_the_crop(tmp_path):
    data = dataset(tmp_path / "photographs", n=3)
    image, _ = disc(60, 80, radius=20, level=200)
    Image.fromarray(image).save(data.root / data.manifest["path"][0])
    crop = curate(data, tmp_path / "store", 40).images[0]
    lit = crop[..., 0] > 60
    assert lit.any(axis=0).sum() >= 38
    assert 0.7 < lit.mean() < np.pi / 4
