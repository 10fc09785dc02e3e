import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

import riqa.data.curate
from riqa.data.curate import CROP_VERSION, curate
from riqa.data.fields import field_from, field_numbers
from riqa.data.fov import crop_to_fov, find_fov
from riqa.data.inspection import inspect_images
from riqa.data.manifest import Dataset, save_dataset
from riqa.data.read import read_photograph
from riqa.data.store import open_store
from riqa.names import to_path, to_text
from tests.data.photographs import contents, dataset, disc, manifest

SIZE = 16
CURATE = """
import sys
from pathlib import Path
from riqa.data.curate import curate
from riqa.data.manifest import Dataset
from riqa.errors import InputError
from riqa.files import read_parquet
root = Path(sys.argv[1])
data = Dataset("x", root, read_parquet(root / "manifest.parquet"), 3, "nobody", "none")
try:
    curate(data, sys.argv[2], int(sys.argv[3]), workers=2)
except InputError as error:
    sys.exit(f"riqa: {error}")
except KeyboardInterrupt:
    sys.exit(130)
"""


def n_done(out):
    """Count the photographs that a curation has written into its journal."""
    journal = out.with_name(out.name + ".partial") / "journal.jsonl"
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.exists() else 0


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Return 300 photographs on disk, twelve different ones under many names, one of them blank."""
    root = tmp_path_factory.mktemp("many")
    few = dataset(root)
    Image.new("RGB", (60, 60)).save(root / few.manifest["path"][5])
    frame = manifest(300)
    for k, path in enumerate(frame["path"][12:], start=12):
        os.link(root / few.manifest["path"][k % 12], root / path)
    data = Dataset("x", root, frame, 3, "nobody", "none")
    save_dataset(data)
    return data


@pytest.fixture(scope="module")
def undisturbed(many, tmp_path_factory):
    """Return the folder of the store that one process makes of `many` without a break."""
    return curate(many, tmp_path_factory.mktemp("undisturbed") / "store", SIZE).root


@pytest.fixture
def running(many, tmp_path):
    """Return the process of a curation of `many` that has done some photographs, and its store's folder."""
    out = tmp_path / "store"
    command = [sys.executable, "-c", CURATE, str(many.root), str(out), str(SIZE)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    enough, end = random.randint(1, 150), time.monotonic() + 300
    while n_done(out) < enough and process.poll() is None and time.monotonic() < end:
        time.sleep(0.001)
    yield process, out
    process.kill()
    process.wait()


def goes_on_to(undisturbed, many, out, monkeypatch):
    """Check that a stopped curation goes on from where it was and ends as the undisturbed one."""
    done, curated = n_done(out), []
    assert 0 < done < 300
    assert not out.exists()
    photograph = riqa.data.curate.curate_photograph
    monkeypatch.setattr(
        riqa.data.curate, "curate_photograph", lambda *args: curated.append(args) or photograph(*args)
    )
    store = curate(many, out, SIZE)
    assert len(curated) == 300 - done
    assert contents(store.root) == contents(undisturbed)
    assert [path.name for path in out.parent.iterdir()] == ["store"]


def test_killed_curation_goes_on_and_leaves_no_process(many, undisturbed, running, monkeypatch):
    process, out = running
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.kill()
    process.wait()
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    goes_on_to(undisturbed, many, out, monkeypatch)


def stop_all(process):
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too


def kill_worker(process):
    children = psutil.Process(process.pid).children()
    next(child for child in children if "spawn_main" in " ".join(child.cmdline())).kill()


MEMORY = (
    "worker process was killed, most likely because memory ran out",
    "run it again with fewer workers (--jobs, now 2); what is done is kept",
)


@pytest.mark.parametrize(("stop", "status", "said"), [(stop_all, 130, ()), (kill_worker, 1, MEMORY)])
def test_curation_stopped_by_ctrl_c_or_for_memory_goes_on(
    many, undisturbed, running, monkeypatch, stop, status, said
):
    process, out = running
    stop(process)
    _, told = process.communicate(timeout=30)
    assert process.returncode == status
    assert "Traceback" not in told
    assert all(part in told for part in said)
    goes_on_to(undisturbed, many, out, monkeypatch)


def test_changed_photograph_starts_the_curation_anew(tmp_path, monkeypatch, capsys):
    data = dataset(tmp_path / "photographs")
    photograph = riqa.data.curate.curate_photograph

    def until_the_last(path, size):
        if path.name == "i11.png":
            raise KeyboardInterrupt
        return photograph(path, size)

    with monkeypatch.context() as patch:
        patch.setattr(riqa.data.curate, "curate_photograph", until_the_last)
        with pytest.raises(KeyboardInterrupt):
            curate(data, tmp_path / "store", SIZE)
    assert n_done(tmp_path / "store") == 11
    image, _ = disc(60, 80, radius=20, level=250)
    Image.fromarray(image).save(data.root / data.manifest["path"][0])
    capsys.readouterr()
    store = curate(data, tmp_path / "store", SIZE)
    assert "other settings (photographs); its 11 photographs are curated anew" in capsys.readouterr().err
    assert contents(store.root) == contents(curate(data, tmp_path / "afresh", SIZE).root)


def test_impossible_arguments_and_faults_of_the_program(tmp_path, monkeypatch):
    data = dataset(tmp_path / "photographs", n=3)
    for size, workers in ((0, 1), (16, 0)):
        with pytest.raises(ValueError, match=f"size={size}, workers={workers}"):
            curate(data, tmp_path / "store", size, workers=workers)
    monkeypatch.setattr(riqa.data.curate, "read_and_crop", lambda path, size: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        curate(data, tmp_path / "store", SIZE)
    assert caught.value.__notes__ == [f"while curating {data.root / 'images/i0.png'}"]
    code = "import sys, riqa.data.curate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0  # it stays out of the workers


def test_every_image_is_read_found_and_cropped_and_a_new_store_replaces_the_old(tmp_path):
    data = dataset(tmp_path / "photographs")
    for size in (16, 40):
        store = curate(data, tmp_path / "store", size)
        assert store.images.shape[1:] == (size, size, 3)
        for k in (0, 7):
            image = read_photograph(data.root / data.manifest["path"][k])
            fov = find_fov(image)
            assert np.array_equal(store.images[k], crop_to_fov(image, fov, size))
            row = pd.read_parquet(store.root / "fields.parquet").iloc[k]
            assert row.drop("image_id").to_dict() == field_numbers(fov)
    lit = store.images[7][..., 0] > 60
    assert lit.any(axis=0).sum() >= 38  # the field fills the crop, and is a disc
    assert 0.7 < lit.mean() < np.pi / 4
    assert store.meta["findings"][0]["message"] == "a finding"
    assert store.meta["crop"] == CROP_VERSION
    assert set(store.meta["versions"]) == {"numpy", "opencv", "pillow"}


def test_bad_photographs_are_set_aside_with_their_reason_whatever_the_number_of_workers(tmp_path):
    data = dataset(tmp_path / "photographs", n=40)
    paths = [data.root / path for path in data.manifest["path"]]
    paths[1].write_bytes(paths[1].read_bytes()[:-400])
    paths[2].write_text("no image")
    paths[3].unlink()
    Image.new("RGB", (80, 60)).save(paths[4])
    store = curate(data, tmp_path / "store", SIZE)
    aside = pd.read_csv(store.root / "set_aside.csv").set_index("image_id")["reason"].to_dict()
    assert aside.pop("i1").startswith("truncated")
    assert aside == {"i2": "not an image file", "i3": "file is missing", "i4": "no field of view found"}
    assert (store.meta["n_set_aside"], "i1" in set(store.manifest["image_id"])) == (4, False)
    assert len(contents(store.root)) == 5
    assert contents(curate(data, tmp_path / "two", SIZE, workers=2).root) == contents(store.root)


def test_files_whose_names_are_no_utf_8_are_curated_and_named(tmp_path):
    data = dataset(tmp_path / "photographs", n=18)
    plain, odd, frame = curate(data, tmp_path / "store", SIZE), os.fsdecode(b"im\xe4ges\n"), data.manifest
    (data.root / "images").rename(data.root / odd)
    frame["path"] = frame["path"].str.replace("images", to_text(odd))
    (data.root / to_path(frame["path"][1])).write_text("no image")
    for workers in (1, 2):
        store = curate(data, tmp_path / f"{odd}{workers}", SIZE, workers=workers)
        assert np.array_equal(store.images, np.delete(plain.images, 1, axis=0))
        assert (data.root / to_path(open_store(store.root).manifest["path"][0])).is_file()
        aside = pd.read_csv(store.root / "set_aside.csv")
        assert aside["path"].tolist() == ["im\ufffdges\ufffd/i1.png"]
    assert inspect_images(frame[:2], data.root)[0].items == ("i1: not an image file",)


def test_a_field_comes_back_from_its_numbers():
    field = find_fov(disc()[0])
    (row,) = pd.DataFrame([field_numbers(field)]).itertuples()
    assert field_from(row) == field
