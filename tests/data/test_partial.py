import errno
import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from riqa.data.store import Plan, write_store
from riqa.errors import InputError
from tests.data.photographs import dataset
from tests.data.stores import PLAN, contents, rows, stopped


@pytest.fixture
def data(tmp_path):
    return dataset(tmp_path / "photographs")


@given(
    done=st.integers(0, 12),
    cut_journal=st.integers(0, 100),
    cut_images=st.integers(0, 600),
    aside=st.sets(st.sampled_from(range(9))),
    more=st.integers(0, 3),
)
@example(done=9, cut_journal=0, cut_images=300, aside=set(), more=0)
@example(done=9, cut_journal=5, cut_images=0, aside=set(), more=2)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_store_that_was_cut_anywhere_becomes_the_undisturbed_one(
    data, tmp_path, done, cut_journal, cut_images, aside, more
):
    """A kill tears the journal's last line, a power cut both files; then it is stopped once more."""
    rows_from = rows(12, aside)
    undisturbed = write_store(data, tmp_path / "undisturbed", PLAN, rows_from).root
    partial = tmp_path / "store.partial"

    starts = []

    def stopped_after(n):
        def some(start):
            starts.append(start)
            yield from itertools.islice(rows_from(start), n)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_store(data, tmp_path / "store", PLAN, some)

    stopped_after(done)
    for name, cut in (("journal.jsonl", cut_journal), ("images.npy", cut_images)):
        content = (partial / name).read_bytes()
        (partial / name).write_bytes(content[: max(0, len(content) - cut)])
    stopped_after(more)
    store = write_store(
        data, tmp_path / "store", PLAN, lambda start: starts.append(start) or rows_from(start)
    )
    assert starts == [0, starts[1], min(12, starts[1] + more)]
    assert len(contents(undisturbed)) == 5
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


def test_folder_that_cannot_be_made_is_told_in_a_line(data, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"store\.partial cannot be written \(Not a directory\)"):
        write_store(data, tmp_path / "file" / "store", PLAN, rows(12))
