import errno
import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from riqa.data.store import Plan, open_store, write_store
from riqa.errors import InputError
from tests.data.photographs import contents, dataset

PLAN = Plan(8)
FILES = ["images.npy", "manifest.parquet", "fields.parquet", "set_aside.csv", "ratings.parquet"]


@pytest.fixture
def data(tmp_path):
    return dataset(tmp_path / "photographs")


def rows(n=12, aside=(), size=8, first=0):
    """Return what makes rows whose image k is filled with first + k; those in `aside` have a reason."""

    def rows_from(start):
        for k in range(start, n):
            image = np.full((size, size, 3), first + k, np.uint8)
            yield (None, {"reason": "torn"}) if k in aside else (image, {"x": k / 7})

    return rows_from


def stop(data, out, n, rows_from=None, by=KeyboardInterrupt):
    """Let the writing of a store be stopped after `n` more rows."""

    def some(start):
        yield from itertools.islice((rows_from or rows())(start), n)
        raise by

    with pytest.raises(by):
        write_store(data, out, PLAN, some)


def finish(data, out, rows_from=None, plan=PLAN):
    """Write what is missing of a store; return it and the row that it went on from."""
    starts = []
    store = write_store(data, out, plan, lambda start: starts.append(start) or (rows_from or rows())(start))
    return store, *starts


def rated(data):
    """Let two readers score every image of `data`, one of them twice."""
    ids = data.manifest["image_id"]
    parts = [
        pd.DataFrame({"image_id": ids, "rater": rater, "item": "clarity", "score": k % 2, "session": session})
        for k, (rater, session) in enumerate([("a", 1), ("b", 1), ("a", 2)])
    ]
    return replace(data, ratings=pd.concat(parts, ignore_index=True))


def test_images_manifest_and_ratings_keep_their_order_when_some_are_set_aside(data, tmp_path):
    data = rated(data)
    store = write_store(data, tmp_path / "store", PLAN, rows(aside=(0, 4, 5)))
    kept = [k for k in range(12) if k not in (0, 4, 5)]
    assert store.images.shape == (9, 8, 8, 3)
    assert store.images[:, 0, 0, 0].tolist() == kept
    assert store.manifest["image_id"].tolist() == [f"i{k}" for k in kept]
    assert (store.meta["n_images"], store.meta["n_set_aside"], store.meta["n_classes"]) == (9, 3, 3)
    assert pd.read_csv(store.root / "set_aside.csv").to_dict("list") == {
        "image_id": ["i0", "i4", "i5"],
        "path": ["images/i0.png", "images/i4.png", "images/i5.png"],
        "reason": ["torn"] * 3,
    }
    assert pd.read_parquet(store.root / "fields.parquet")["x"].tolist() == [k / 7 for k in kept]
    expected = data.ratings[~data.ratings["image_id"].isin(["i0", "i4", "i5"])].reset_index(drop=True)
    assert len(expected) == 27
    for ratings in (store.ratings, open_store(store.root).ratings):
        pd.testing.assert_frame_equal(ratings, expected)
    assert isinstance(store.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        store.images[0] = 0


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize(("name", "guess"), [("clinic", False), ("phantom_eyes", True)])
def test_a_store_knows_whether_its_photographs_are_drawn_or_guesses_by_its_name(
    data, tmp_path, name, drawn, guess
):
    """Older stores did not say it, but no set of a user's own can have a phantom's name."""
    store = write_store(replace(data, name=name, drawn=drawn), tmp_path / "store", PLAN, rows())
    assert store.meta["drawn"] is drawn
    meta = {key: value for key, value in store.meta.items() if key != "drawn"}
    (store.root / "store.json").write_text(json.dumps(meta))
    assert open_store(store.root).meta["drawn"] is guess


def test_what_cannot_become_a_store_is_refused(data, tmp_path):
    with pytest.raises(InputError, match=r"split val .*i1\.png: torn"):
        write_store(data, tmp_path / "store", PLAN, rows(aside=(1, 4, 7, 10)))
    assert [path.name for path in tmp_path.iterdir()] == ["photographs"]
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").touch()
    with pytest.raises(InputError, match="is not a store"):
        write_store(data, tmp_path / "thesis", PLAN, rows())
    assert (tmp_path / "thesis" / "chapter.txt").exists()
    for plan, n, message in ((PLAN, 5, "5 rows for 12"), (Plan(9), 12, "must be uint8")):
        with pytest.raises(ValueError, match=message):
            write_store(data, tmp_path / f"store{n}", plan, rows(n))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"store\.partial cannot be written \(Not a directory\)"):
        write_store(data, tmp_path / "file" / "store", PLAN, rows())


def test_file_that_is_changed_cut_short_or_missing_is_named_with_what_to_do(data, tmp_path):
    root = write_store(rated(data), tmp_path / "store", PLAN, rows()).root
    for name in FILES:
        whole = (root / name).read_bytes()
        for content in (whole[:-7], whole[:-1] + bytes([whole[-1] ^ 1])):
            (root / name).write_bytes(content)
            with pytest.raises(InputError, match=f"{name} was cut short or changed.*curate again") as caught:
                open_store(root)
            assert "\n" not in str(caught.value)
        (root / name).unlink()
        with pytest.raises(InputError, match=f"{name} is missing"):
            open_store(root)
        (root / name).write_bytes(whole)
    (root / "store.json").write_text('{"name": ')
    with pytest.raises(InputError, match=r"store\.json cannot be read"):
        open_store(root)
    with pytest.raises(InputError, match="run riqa curate"):
        open_store(tmp_path)


def test_interrupted_writing_leaves_the_old_store_and_no_ratings_of_another_attempt(data, tmp_path):
    write_store(rated(data), tmp_path / "store", PLAN, rows())
    stop(rated(data), tmp_path / "store", 5)
    (tmp_path / "store.partial" / "ratings.parquet").write_bytes(b"of another attempt")
    assert len(open_store(tmp_path / "store").images) == 12
    store, _ = finish(data, tmp_path / "store")
    assert store.ratings is None
    assert not (store.root / "ratings.parquet").exists()


@given(
    done=st.integers(0, 12),
    cut_journal=st.integers(0, 100),
    cut_images=st.integers(0, 600),
    aside=st.sets(st.sampled_from(range(9))),
    more=st.integers(0, 3),
)
@example(done=9, cut_journal=0, cut_images=300, aside=set(), more=0)
@example(done=5, cut_journal=0, cut_images=0, aside=set(), more=0)
@example(done=9, cut_journal=5, cut_images=0, aside=set(), more=2)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_store_that_was_cut_anywhere_becomes_the_undisturbed_one(
    data, tmp_path, done, cut_journal, cut_images, aside, more
):
    """A kill tears the journal's last line, a power cut both files; then it is stopped once more."""
    rows_from, starts = rows(aside=aside), []
    undisturbed = write_store(data, tmp_path / "undisturbed", PLAN, rows_from).root
    stop(data, tmp_path / "store", done, rows_from)
    for name, cut, torn in (
        ("journal.jsonl", cut_journal, b'{"x": 0.71'),
        ("images.npy", cut_images, b"part"),
    ):
        content = (tmp_path / "store.partial" / name).read_bytes()
        (tmp_path / "store.partial" / name).write_bytes(
            content[: max(0, len(content) - cut)] + torn * (not cut)
        )
    stop(data, tmp_path / "store", more, lambda start: starts.append(start) or rows_from(start))
    store, start = finish(data, tmp_path / "store", rows_from)
    assert start == min(12, starts[0] + more)
    assert starts[0] == done or cut_journal or cut_images  # only what is missing is made
    assert len(contents(undisturbed)) == 5
    assert contents(store.root) == contents(undisturbed)
    assert not (tmp_path / "store.partial").exists()


@pytest.mark.parametrize(
    ("changed", "value"),
    [("size", 9), ("crop", 1), ("versions", {"opencv": "0"}), ("photographs", "f00")],
)
def test_what_another_plan_began_is_thrown_away_with_a_word(data, tmp_path, capsys, changed, value):
    plan = replace(PLAN, **{changed: value})
    stop(data, tmp_path / "store", 5)
    store, start = finish(data, tmp_path / "store", rows(size=plan.size, first=100), plan)
    assert start == 0
    assert store.images.shape == (12, plan.size, plan.size, 3)
    assert store.images[:, 0, 0, 0].tolist() == list(range(100, 112))
    told = capsys.readouterr().err
    assert f"begun with other settings ({changed}); its 5 photographs are curated anew" in told
    assert told.count("\n") == 1
    assert {name: store.meta[name] for name in ("size", "crop", "versions")}.items() <= vars(plan).items()


def test_two_cannot_write_one_store(data, tmp_path):
    def rows_from(start):
        with pytest.raises(InputError, match=r"store\.partial is being written by another process; wait"):
            write_store(data, tmp_path / "store", PLAN, rows())
        yield from rows()(start)

    assert len(write_store(data, tmp_path / "store", PLAN, rows_from).images) == 12


def test_full_disk_is_told_in_a_line_and_what_is_done_is_kept(data, tmp_path):
    def full(start):
        yield from rows(5)(start)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"No space left on device\); what is done is kept: make room"):
        write_store(data, tmp_path / "store", PLAN, full)
    assert len((tmp_path / "store.partial" / "journal.jsonl").read_bytes().splitlines()) == 1 + 5
