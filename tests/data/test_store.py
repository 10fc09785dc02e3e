import errno
import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riqa.data.partial import Plan
from riqa.data.store import open_store, write_store
from riqa.errors import InputError
from tests.data.photographs import dataset

PLAN = Plan(8)


def rows(n, aside=()):
    """Return what makes rows whose image k is filled with k; those in `aside` have a reason instead."""

    def rows_from(start):
        for k in range(start, n):
            image = np.full((8, 8, 3), k, np.uint8)
            yield (None, {"reason": "torn"}) if k in aside else (image, {"x": k / 7})

    return rows_from


def stopped(n, by=KeyboardInterrupt):
    """Return what makes `n` rows and is then interrupted."""

    def rows_from(start):
        yield from rows(n)(start)
        raise by

    return rows_from


def contents(root):
    return {path.name: path.read_bytes() for path in root.iterdir()}


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


@given(
    done=st.integers(0, 12),
    cut_journal=st.integers(0, 400),
    cut_images=st.integers(0, 600),
    aside=st.sets(st.sampled_from(range(9))),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_store_that_was_cut_anywhere_becomes_the_undisturbed_one(
    data, tmp_path, done, cut_journal, cut_images, aside
):
    """A kill tears the journal's last line; a power cut may lose any length of both files."""
    rows_from = rows(12, aside)
    undisturbed = write_store(data, tmp_path / "undisturbed", PLAN, rows_from).root
    partial = tmp_path / "store.partial"

    def until(start):
        yield from itertools.islice(rows_from(start), done - start)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_store(data, tmp_path / "store", PLAN, until)
    for name, cut in (("journal.jsonl", cut_journal), ("images.npy", cut_images)):
        content = (partial / name).read_bytes()
        (partial / name).write_bytes(content[: max(0, len(content) - cut)])
    store = write_store(data, tmp_path / "store", PLAN, rows_from)
    assert contents(store.root) == contents(undisturbed)
    assert not partial.exists()


def test_only_what_is_missing_is_made(data, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_store(data, tmp_path / "store", PLAN, stopped(5))
    with (tmp_path / "store.partial" / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"x": 0.71')
    with (tmp_path / "store.partial" / "images.npy").open("ab") as images:
        images.write(b"a part of image 5")
    starts = []
    store = write_store(data, tmp_path / "store", PLAN, lambda start: starts.append(start) or rows(12)(start))
    assert starts == [5]
    assert store.images[:, 0, 0, 0].tolist() == list(range(12))


@pytest.mark.parametrize(
    ("plan", "changed"),
    [
        (Plan(9), "size"),
        (Plan(8, crop=1), "crop"),
        (Plan(8, versions={"opencv": "0"}), "versions"),
        (Plan(8, photographs="f00"), "photographs"),
    ],
)
def test_what_another_plan_began_is_thrown_away_with_a_word(data, tmp_path, capsys, plan, changed):
    with pytest.raises(KeyboardInterrupt):
        write_store(data, tmp_path / "store", PLAN, stopped(5))
    starts = []

    def rows_from(start):
        starts.append(start)
        yield from ((np.full((plan.size, plan.size, 3), 100 + k, np.uint8), {"x": 0.0}) for k in range(12))

    store = write_store(data, tmp_path / "store", plan, rows_from)
    assert starts == [0]
    assert store.images.shape == (12, plan.size, plan.size, 3)
    assert store.images[:, 0, 0, 0].tolist() == list(range(100, 112))
    told = capsys.readouterr().err
    assert f"begun with other settings ({changed}); its 5 photographs are curated anew" in told
    assert told.count("\n") == 1
    assert (store.meta["size"], store.meta["crop"], store.meta["versions"]) == (
        plan.size,
        plan.crop,
        plan.versions,
    )


def test_two_cannot_write_one_store(data, tmp_path):
    def rows_from(start):
        with pytest.raises(InputError, match=r"store\.partial is being written by another process; wait"):
            write_store(data, tmp_path / "store", PLAN, rows(12))
        yield from rows(12)(start)

    assert len(write_store(data, tmp_path / "store", PLAN, rows_from).images) == 12


def test_full_disk_is_told_in_a_line_and_what_is_done_is_kept(data, tmp_path):
    full = stopped(5, by=OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(InputError, match=r"No space left on device\); what is done is kept: make room"):
        write_store(data, tmp_path / "store", PLAN, full)
    assert len((tmp_path / "store.partial" / "journal.jsonl").read_bytes().splitlines()) == 1 + 5


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
