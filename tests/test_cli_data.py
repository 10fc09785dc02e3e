"""`riqa fetch`, `check` and `curate`: what they print, how they end, and that a stopped curation goes on."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from riqa.data.audit import audit
from riqa.data.fetch import SOURCES
from riqa.data.store import open_store
from tests.data.layouts import write_deepdrid, write_eyeq, write_eyeq_d, write_fives, write_mshf, write_table
from tests.data.photographs import disc

PHOTOGRAPHS = 40


@pytest.fixture
def clinic(tmp_path):
    """Return a reader's own folder with a disc in each of 40 photographs."""
    root = write_table(tmp_path / "clinic")
    for k, path in enumerate(sorted((root / "photos").iterdir())):
        path.unlink()
        Image.fromarray(disc(60, 80, radius=25, level=90 + k, seed=k)[0]).save(path.with_suffix(".png"))
    return root


@pytest.fixture
def eyeq(tmp_path):
    labels = {f"{patient}_left": ("good", "usable", "reject")[patient % 3] for patient in range(10, 40)}
    test = {"90_left": "good", "91_left": "usable", "92_left": "reject"}
    return write_eyeq(tmp_path / "eyeq", labels, test)


def test_check_prints_counts_and_findings_or_one_document(eyeq, clinic, riqa):
    told = riqa(0, "check", "eyeq", "--root", eyeq)
    rows = [line.split() for line in told.out.splitlines()]
    assert ["test", "reject", "1", "1", "3220"] in rows
    assert ["train", "and", "val", "reject", "10", "10", "2320"] in rows
    assert "warning test: the labels differ" in told.out
    assert "image/s" not in told.err  # no progress bar where nobody watches
    report = json.loads(riqa(1, "check", "eyeq", "--root", eyeq, "--json", "--strict").out)
    assert (report["dataset"], report["usable"]) == ("eyeq", True)
    assert report["counts"]["test"] == {"reject": 1, "usable": 1, "good": 1}
    assert {"code-reversed", "counts-differ"} <= {finding["code"] for finding in report["findings"]}
    findings = json.loads(riqa(0, "check", "table", "--root", clinic, "--strict", "--json").out)["findings"]
    assert "warning" not in {finding["severity"] for finding in findings}


@pytest.mark.parametrize(("name", "root"), [("eyeq_d", "eyeq_d"), ("eyeq", "nowhere"), ("eyeques", ".")])
def test_not_usable_ends_with_2_one_line_and_json_all_the_same(tmp_path, monkeypatch, riqa, name, root):
    monkeypatch.chdir(tmp_path)
    write_eyeq_d(tmp_path / "eyeq_d", [("10_left", 2, 1, 1, 1)])
    told = riqa(2, "check", name, "--root", root, "--json")
    report = json.loads(told.out)
    assert (report["usable"], report["findings"][-1]["severity"]) == (False, "error")
    assert (told.err.count("\n"), told.err.find(f"riqa: {name} is not usable: ")) == (1, 0)
    if name == "eyeq_d":
        assert report["labelled"]["test"]["good"] == 1
        assert report["findings"][-1]["code"] == "no-images"
    else:
        assert (report["counts"], len(report["findings"])) == ({}, 1)


def test_curate_makes_a_store_and_says_what_it_set_aside(clinic, tmp_path, riqa):
    photos = sorted((clinic / "photos").iterdir())
    photos[0].write_bytes(b"no image")
    Image.new("RGB", (80, 60)).save(photos[1])
    out = tmp_path / "stores" / "clinic"
    told = riqa(0, "curate", "table", "--root", clinic, "--out", out, "--size", 32)
    assert open_store(out).images.shape == (PHOTOGRAPHS - 2, 32, 32, 3)
    assert told.out.startswith(f"{PHOTOGRAPHS - 2} images of 32 pixels in {out}\n")
    reasons = "  1 no field of view found\n  1 not an image file\n"
    assert f"set aside: 2 (named in {out}/set_aside.csv)\n{reasons}" in told.out
    assert "image/s" not in told.err  # no progress bar where nobody watches
    photos[5].unlink()
    given = ("--root", clinic, "--out", tmp_path / "s", "--size", "32")
    assert "1 of 40 labelled images are missing" in riqa(2, "curate", "table", *given, "--strict").err
    assert not (tmp_path / "s").exists()


def test_ctrl_c_says_that_it_goes_on(clinic, tmp_path, riqa):
    """Stop a real curation; nothing is half there, and the same command ends it."""
    for path in (clinic / "photos").iterdir():
        with Image.open(path) as image:
            image.resize((800, 600)).save(path, compress_level=1)  # large, to have time to stop it
    store = tmp_path / "store"
    command = ["curate", "table", "--root", str(clinic), "--size", "32", "--out", str(store)]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-m", "riqa.cli", *command], **piped)
    journal = tmp_path / "store.partial" / "journal.jsonl"
    while not (journal.is_file() and journal.read_bytes().count(b"\n") > 1):  # until curation has begun
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "What is done is kept; the same command goes on." in errors
    assert ("Traceback" in errors, store.exists()) == (False, False)
    riqa(0, *command)
    assert len(open_store(store).images) == PHOTOGRAPHS


def test_fetch_lists_what_there_is_and_gives_instructions(riqa):
    lines = riqa(0, "fetch").out.splitlines()
    for name, source in SOURCES.items():
        assert any(line.split()[:1] == [name] and source.licence in line for line in lines)
    told = riqa(0, "fetch", "eyepacs", "--to", "photographs").out
    assert "kaggle competitions download -c diabetic-retinopathy-detection" in told
    assert "riqa check eyeq --root photographs" in told


def test_what_is_fetched_is_named_as_the_adapter_reads_it(tmp_path, eyeq):
    write_eyeq_d(eyeq, [("90_left", 2, 1, 1, 1)])
    for name in ("eyeq", "eyeq_d"):
        (tmp_path / name / "fetched").mkdir(parents=True, exist_ok=True)
        for file in SOURCES[name].files:
            shutil.copy(eyeq / file.name, tmp_path / name / "fetched")
        report = audit(name, tmp_path / name / "fetched")
        assert report.findings[-1].code == "no-images"  # and not that the labels cannot be read
    for name, write in (("mshf", write_mshf), ("deepdrid", write_deepdrid), ("fives", write_fives)):
        write(tmp_path / name)
        assert (tmp_path / name / SOURCES[name].files[0].keep).is_dir()
        assert audit(name, tmp_path / name, images=False).usable
