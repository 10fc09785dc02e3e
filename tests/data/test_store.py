import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from riqa.data.store import Plan, open_store, write_store
from riqa.errors import InputError
from tests.data.photographs import dataset
from tests.data.stores import PLAN, rows, stopped


@pytest.fixture
def data(tmp_path):
    return dataset(tmp_path / "photographs")


def test_images_and_manifest_keep_their_order_when_some_are_set_aside(data, tmp_path):
    store = write_store(data, tmp_path / "store", PLAN, rows(12, aside=(0, 4, 5)))
    kept = [k for k in range(12) if k not in (0, 4, 5)]
    assert store.images.shape == (9, 8, 8, 3)
    assert store.images[:, 0, 0, 0].tolist() == kept
    assert store.manifest["image_id"].tolist() == [f"i{k}" for k in kept]
    assert isinstance(store.images, np.memmap)
    assert (store.meta["n_images"], store.meta["n_set_aside"], store.meta["n_classes"]) == (9, 3, 3)
    aside = pd.read_csv(store.root / "set_aside.csv")
    assert aside.to_dict("list") == {
        "image_id": ["i0", "i4", "i5"],
        "path": ["images/i0.png", "images/i4.png", "images/i5.png"],
        "reason": ["torn"] * 3,
    }
    fields = pd.read_parquet(store.root / "fields.parquet")
    assert fields["x"].tolist() == [k / 7 for k in kept]


@pytest.mark.parametrize("drawn", [True, False])
def test_a_store_knows_whether_its_photographs_are_drawn(data, tmp_path, drawn):
    store = write_store(replace(data, drawn=drawn), tmp_path / "store", PLAN, rows(12))
    assert store.meta["drawn"] is drawn


@pytest.mark.parametrize(("name", "drawn"), [("clinic", False), ("phantom_eyes", True)])
def test_a_store_that_does_not_say_what_is_drawn_is_known_by_its_name(data, tmp_path, name, drawn):
    """No set of a user's own can have a phantom's name."""
    file = write_store(replace(data, name=name), tmp_path / "store", PLAN, rows(12)).root / "store.json"
    meta = json.loads(file.read_text())
    del meta["drawn"]
    file.write_text(json.dumps(meta))
    assert open_store(tmp_path / "store").meta["drawn"] is drawn


def test_images_can_not_be_changed_through_the_store(data, tmp_path):
    store = write_store(data, tmp_path / "store", PLAN, rows(12))
    with pytest.raises(ValueError, match="read-only"):
        store.images[0] = 0


def test_split_without_images_is_refused_and_nothing_is_left(data, tmp_path):
    with pytest.raises(InputError, match=r"split val .*i1\.png: torn"):
        write_store(data, tmp_path / "store", PLAN, rows(12, aside=(1, 4, 7, 10)))
    assert [path.name for path in tmp_path.iterdir()] == ["photographs"]


def test_interrupted_writing_leaves_the_old_store(data, tmp_path):
    write_store(data, tmp_path / "store", PLAN, rows(12))
    with pytest.raises(KeyboardInterrupt):
        write_store(data, tmp_path / "store", PLAN, stopped(5))
    assert len(open_store(tmp_path / "store").images) == 12


def test_other_folders_are_not_replaced(data, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").touch()
    with pytest.raises(InputError, match="is not a store"):
        write_store(data, tmp_path / "thesis", PLAN, rows(12))
    assert (tmp_path / "thesis" / "chapter.txt").exists()


def test_wrong_rows_are_refused(data, tmp_path):
    with pytest.raises(ValueError, match="5 rows for 12"):
        write_store(data, tmp_path / "store", PLAN, rows(5))
    with pytest.raises(ValueError, match="must be uint8"):
        write_store(data, tmp_path / "store9", Plan(9), rows(12))


@pytest.mark.parametrize("name", ["images.npy", "manifest.parquet", "fields.parquet", "set_aside.csv"])
def test_file_cut_short_is_named_with_what_to_do(data, tmp_path, name):
    root = write_store(data, tmp_path / "store", PLAN, rows(12)).root
    (root / name).write_bytes((root / name).read_bytes()[:-7])
    with pytest.raises(InputError, match=f"{name} was cut short.*curate again") as caught:
        open_store(root)
    assert "\n" not in str(caught.value)
    (root / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        open_store(root)


def test_changed_pixel_and_broken_description_are_noticed(data, tmp_path):
    root = write_store(data, tmp_path / "store", PLAN, rows(12)).root
    content = bytearray((root / "images.npy").read_bytes())
    content[-1] ^= 1
    (root / "images.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"images\.npy was cut short or changed"):
        open_store(root)
    (root / "store.json").write_text(json.dumps({"name": "x"})[:-3])
    with pytest.raises(InputError, match=r"store\.json cannot be read"):
        open_store(root)
    with pytest.raises(InputError, match="run riqa curate"):
        open_store(tmp_path / "nowhere")


def rated(data):
    """Let two readers score every image of `data`, one of them twice."""
    ids = data.manifest["image_id"]
    readings = [("a", 1), ("b", 1), ("a", 2)]
    parts = [
        pd.DataFrame({"image_id": ids, "rater": rater, "item": "clarity", "score": k % 2, "session": session})
        for k, (rater, session) in enumerate(readings)
    ]
    return replace(data, ratings=pd.concat(parts, ignore_index=True))


def test_what_single_readers_said_of_the_kept_images_goes_into_the_store(data, tmp_path):
    data = rated(data)
    store = write_store(data, tmp_path / "store", PLAN, rows(12, aside=(0, 4)))
    expected = data.ratings[~data.ratings["image_id"].isin(["i0", "i4"])].reset_index(drop=True)
    assert len(expected) == 30
    pd.testing.assert_frame_equal(store.ratings, expected)
    pd.testing.assert_frame_equal(open_store(store.root).ratings, expected)


def test_a_store_of_images_that_nobody_rated_has_no_ratings(data, tmp_path):
    write_store(rated(data), tmp_path / "store", PLAN, rows(12))
    store = write_store(data, tmp_path / "store", PLAN, rows(12))
    assert store.ratings is None
    assert not (store.root / "ratings.parquet").exists()


def test_ratings_of_an_attempt_that_was_stopped_do_not_stay(data, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_store(rated(data), tmp_path / "store", PLAN, stopped(5))
    (tmp_path / "store.partial" / "ratings.parquet").write_bytes(b"of another attempt")
    store = write_store(data, tmp_path / "store", PLAN, rows(12))
    assert not (store.root / "ratings.parquet").exists()


def test_changed_or_missing_ratings_are_noticed(data, tmp_path):
    root = write_store(rated(data), tmp_path / "store", PLAN, rows(12)).root
    (root / "ratings.parquet").write_bytes((root / "ratings.parquet").read_bytes()[:-7])
    with pytest.raises(InputError, match=r"ratings\.parquet was cut short.*curate again"):
        open_store(root)
    (root / "ratings.parquet").unlink()
    with pytest.raises(InputError, match=r"ratings\.parquet is missing"):
        open_store(root)
