import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from riqa.cli import main
from riqa.data.audit import audit
from riqa.data.fetch import SOURCES, Download, Source
from riqa.data.store import open_store
from tests.data.layouts import write_deepdrid, write_eyeq, write_eyeq_d, write_fives, write_mshf, write_table
from tests.data.photographs import disc

PHOTOGRAPHS = 40


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def clinic(tmp_path):
    """Return a reader's own folder with a disc in each of 40 photographs."""
    root = write_table(tmp_path / "clinic")
    for k, path in enumerate(sorted(path for path in root.rglob("*") if path.parent.name == "photos")):
        image, _ = disc(60, 80, radius=25, level=90 + k, seed=k)
        Image.fromarray(image).save(path.with_suffix(".png"))
        if path.suffix != ".png":
            path.unlink()
    return root


@pytest.fixture
def eyeq(tmp_path):
    labels = {f"{patient}_left": ("good", "usable", "reject")[patient % 3] for patient in range(10, 40)}
    return write_eyeq(
        tmp_path / "eyeq", labels, {"90_left": "good", "91_left": "usable", "92_left": "reject"}
    )


def assert_ends_with(status, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert ended.value.code == status


def test_check_prints_counts_and_findings(eyeq, capsys):
    assert_ends_with(0, "check", "eyeq", "--root", eyeq)
    told = capsys.readouterr()
    rows = [line.split() for line in told.out.splitlines()]
    assert ["test", "reject", "1", "1", "3220"] in rows
    assert ["train", "and", "val", "reject", "10", "10", "2320"] in rows
    assert "warning test: the labels differ" in told.out
    assert "image/s" not in told.err  # no progress bar where nobody watches


def test_check_strict_ends_with_1(eyeq, capsys):
    assert_ends_with(1, "check", "eyeq", "--root", eyeq, "--strict", "--no-images")
    assert "warning test: the labels differ" in capsys.readouterr().out


def test_check_without_warning_ends_with_0_also_under_strict(clinic, capsys):
    assert_ends_with(0, "check", "table", "--root", clinic, "--strict", "--json")
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [finding["code"] for finding in findings if finding["severity"] == "warning"] == []


@pytest.mark.parametrize("strict", [(), ("--strict",)])
def test_check_json_is_one_document(eyeq, capsys, strict):
    assert_ends_with(len(strict), "check", "eyeq", "--root", eyeq, "--json", *strict)
    told = json.loads(capsys.readouterr().out)
    assert told["dataset"] == "eyeq"
    assert told["usable"] is True
    assert told["counts"]["test"] == {"reject": 1, "usable": 1, "good": 1}
    assert {"code-reversed", "counts-differ"} <= {finding["code"] for finding in told["findings"]}


def test_not_usable_ends_with_2_one_line_and_json_all_the_same(tmp_path, capsys):
    root = write_eyeq_d(tmp_path / "eyeq_d", [("10_left", 2, 1, 1, 1)])
    assert_ends_with(2, "check", "eyeq_d", "--root", root, "--json")
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert report["usable"] is False
    assert report["labelled"]["test"]["good"] == 1
    assert report["findings"][-1]["code"] == "no-images"
    assert told.err.count("\n") == 1
    assert told.err.startswith("riqa: eyeq_d is not usable: ")


@pytest.mark.parametrize("arguments", [("eyeq", "--root", "nowhere"), ("eyeques", "--root", ".")])
def test_a_wrong_name_or_folder_is_json_too(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert_ends_with(2, "check", *arguments, "--json")
    told = capsys.readouterr()
    report = json.loads(told.out)
    assert (report["usable"], report["counts"]) == (False, {})
    assert [finding["severity"] for finding in report["findings"]] == ["error"]
    assert told.err.count("\n") == 1


def test_curate_makes_a_store_and_says_what_it_set_aside(clinic, tmp_path, capsys):
    photos = sorted((clinic / "photos").iterdir())
    photos[0].write_bytes(b"no image")
    Image.new("RGB", (80, 60)).save(photos[1])
    out = tmp_path / "stores" / "clinic"
    assert_ends_with(0, "curate", "table", "--root", clinic, "--out", out, "--size", "32")
    told = capsys.readouterr()
    store = open_store(out)
    assert store.images.shape == (PHOTOGRAPHS - 2, 32, 32, 3)
    assert f"{PHOTOGRAPHS - 2} images of 32 pixels in {out}" in told.out
    assert "set aside: 2" in told.out
    assert "  1 not an image file" in told.out
    assert "  1 no field of view" in told.out
    assert "image/s" not in told.err  # no progress bar where nobody watches


def test_curate_strict_refuses_a_missing_image(clinic, tmp_path, capsys):
    sorted((clinic / "photos").iterdir())[5].unlink()
    assert_ends_with(
        2, "curate", "table", "--root", clinic, "--out", tmp_path / "s", "--size", "32", "--strict"
    )
    assert "1 of 40 labelled images are missing" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_ctrl_c_says_that_it_goes_on(clinic, tmp_path):
    """Stop a real curation; nothing is half there, and the same command ends it."""
    for path in (clinic / "photos").iterdir():
        with Image.open(path) as image:
            image.resize((800, 600)).save(path, compress_level=1)  # large, to have time to stop it
    command = [
        sys.executable,
        "-m",
        "riqa.cli",
        "curate",
        "table",
        "--root",
        str(clinic),
        "--size",
        "32",
        "--out",
    ]
    process = subprocess.Popen(
        [*command, str(tmp_path / "store")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    journal = tmp_path / "store.partial" / "journal.jsonl"
    while not (journal.is_file() and journal.read_bytes().count(b"\n") > 1):  # until curation has begun
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "What is done is kept; the same command goes on." in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "store").exists()
    assert_ends_with(0, *command[3:], tmp_path / "store")
    assert len(open_store(tmp_path / "store").images) == PHOTOGRAPHS


def test_fetch_lists_what_there_is(capsys):
    assert_ends_with(0, "fetch")
    told = capsys.readouterr().out
    for name, source in SOURCES.items():
        assert any(line.split()[:1] == [name] and source.licence in line for line in told.splitlines())


def test_fetch_eyepacs_gives_instructions(capsys):
    assert_ends_with(0, "fetch", "eyepacs", "--to", "photographs")
    told = capsys.readouterr().out
    assert "kaggle competitions download -c diabetic-retinopathy-detection" in told
    assert "riqa check eyeq --root photographs" in told


def test_fetch_offline_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    file = Download("http://127.0.0.1:9/labels", "labels.csv", "0" * 64)
    monkeypatch.setitem(SOURCES, "eyeq", Source("labels", "free", "small", (file,), "done"))
    assert_ends_with(2, "fetch", "eyeq", "--to", tmp_path / "eyeq")
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert not (tmp_path / "eyeq").exists()


@pytest.mark.parametrize("name", ["eyeq", "eyeq_d"])
def test_fetched_labels_are_named_as_the_adapter_reads_them(tmp_path, eyeq, name):
    write_eyeq_d(eyeq, [("90_left", 2, 1, 1, 1)])
    for file in SOURCES[name].files:
        shutil.copy(eyeq / file.name, tmp_path)
    report = audit(name, tmp_path)
    assert report.findings[-1].code == "no-images"  # and not that the labels cannot be read


@pytest.mark.parametrize("name", ["mshf", "deepdrid", "fives"])
def test_unpacked_folders_are_named_as_the_adapter_reads_them(tmp_path, name):
    {"mshf": write_mshf, "deepdrid": write_deepdrid, "fives": write_fives}[name](tmp_path)
    assert (tmp_path / SOURCES[name].files[0].keep).is_dir()
    assert audit(name, tmp_path, images=False).usable


def test_data_commands_start_without_torch():
    program = (
        "import sys, riqa.cli, riqa.data.audit, riqa.data.fetch, riqa.data.inspection, riqa.cli_audit;"
        "print([m for m in ('torch', 'matplotlib', 'snakemake') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_of_any_bytes_pass_check_and_curate(clinic, tmp_path, capsys):
    stray = os.fsdecode(b"M\xfcller\n[red].png")
    shutil.copy(next((clinic / "photos").glob("*.png")), clinic / "photos" / stray)
    assert_ends_with(0, "check", "table", "--root", clinic, "--no-images", "--json")
    (found,) = [
        one for one in json.loads(capsys.readouterr().out)["findings"] if one["code"] == "images-unlabelled"
    ]
    assert found["items"] == ["photos/M\ufffdller\ufffd[red]"]
    assert_ends_with(0, "check", "table", "--root", clinic, "--no-images")
    assert "M\ufffdller\ufffd[red]" in capsys.readouterr().out
    out = tmp_path / os.fsdecode(b"st\xf6re[red]")
    assert_ends_with(0, "curate", "table", "--root", clinic, "--out", out, "--size", "16")
    assert "st\ufffdre[red]/set_aside.csv" in capsys.readouterr().out
    assert len(open_store(out).images) == PHOTOGRAPHS
