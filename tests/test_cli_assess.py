import inspect
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from riqa import cli_assess
from riqa.assess import answers as room
from riqa.assess.answers import PHANTOM_MODEL, open_session
from riqa.learn.novelty import QUANTILE
from tests.assess.strangers import STRANGERS


@pytest.fixture
def clinic(lab, tmp_path):
    """Six photographs, and in a folder below them noise."""
    root = tmp_path / "clinic"
    (root / "z").mkdir(parents=True)
    for path in lab.photographs(6):
        shutil.copy(path, root)
    cv2.imwrite(str(root / "z" / "noise.png"), STRANGERS["noise"](np.random.default_rng(0)))
    return root


@pytest.fixture
def copy(lab, tmp_path):
    """The model's files in a folder where they may be changed; their common stem."""
    for file in lab.stem.parent.glob(f"{lab.stem.name}.*"):
        shutil.copy(file, tmp_path)
    return tmp_path / lab.stem.name


def answers(out):
    return [json.loads(line) for line in out.splitlines()]


def why(told):
    """Return the one line that says why there is no answer."""
    assert told.out == ""
    (line,) = [line for line in told.err.splitlines() if line.startswith("riqa: ")]
    assert "Traceback" not in told.err
    return line


@pytest.mark.parametrize("ending", ["", ".safetensors", ".json", ".novelty.safetensors"])
def test_any_file_of_a_model_names_it(lab, clinic, riqa, ending):
    told = riqa(0, "assess", f"{lab.stem}{ending}", clinic, "--json")
    found = answers(told.out)
    paths = [*sorted(clinic.glob("*.jpg")), clinic / "z" / "noise.png"]
    assert [one["path"] for one in found] == [str(path) for path in paths]
    assert [one["abstain"] for one in found] == [False] * 6 + [True]
    assert found[-1]["reason"].startswith("no fundus")
    assert [line.split(":")[0] for line in told.err.splitlines()] == ["7 photographs"]  # no progress in a log


def start(*arguments, stderr=subprocess.PIPE):
    command = map(str, [sys.executable, "-m", "riqa.cli", "assess", "--json", *arguments])
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)


def test_a_table_by_default_and_bad_files_at_the_end(lab, clinic, tmp_path, riqa):
    (clinic / "0.jpg").write_text("no image")
    (tmp_path / "empty").mkdir()
    given = ("assess", lab.stem, clinic, clinic / "gone.jpg", tmp_path / "empty")
    assert len(answers(riqa(1, *given, "--json").out)) == 7
    told = riqa(1, *given)
    words = told.out.split()
    assert words[1:7] == ["photograph", "overall", "illumination", "clarity", "contrast", "advice"]
    assert ("z/noise.png" in words, "0.jpg" in words) == (True, False)
    lines = told.err.splitlines()
    assert lines[-4].endswith("3 could not be read; phantom model")
    assert lines[-3:] == [
        f"  {tmp_path / 'empty'}: no image in this folder",
        f"  {clinic / '0.jpg'}: not an image file",
        f"  {clinic / 'gone.jpg'}: file is missing",
    ]


def test_what_cannot_be_done_ends_with_2_and_one_line(lab, clinic, tmp_path, riqa):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no image")
    for arguments, reason in (
        ((lab.stem, tmp_path / "empty"), "no image in"),
        ((tmp_path / "nowhere", clinic), "nowhere.safetensors: no such model file"),
        ((lab.stem, tmp_path / "notes.txt", "--json"), "none of 1 files can be read"),
        ((lab.stem, clinic, "--html", clinic), "is a folder"),
    ):
        assert reason in why(riqa(2, "assess", *arguments))
    for option, value in (("--batch-size", 0), ("--threads", 0), ("--quantile", 2), ("--pictures", -1)):
        assert riqa(2, "assess", lab.stem, clinic, option, value).out == ""


def test_a_model_without_novelty_or_temperature_says_so_and_cannot_leave_answers_out(
    copy, clinic, tmp_path, riqa
):
    description = Path(f"{copy}.json")
    content = json.loads(description.read_text())
    temperature = content.pop("confidence")["temperature"]
    (first, *_) = answers(riqa(0, "assess", copy, clinic, "--json").out)
    assert first["temperature"] == temperature
    description.write_text(json.dumps(content))
    Path(f"{copy}.novelty.safetensors").unlink()
    told = riqa(0, "assess", copy, clinic, "--json", "--html", tmp_path / "page.html")
    assert len(answers(told.out)) == 7
    for missing in ("its .novelty.safetensors", "a temperature"):
        assert f"riqa: this model came without {missing}" in told.err
        assert f"This model came without {missing}" in (tmp_path / "page.html").read_text()
    assert {one["temperature"] for one in answers(told.out)} == {None}
    assert "no --coverage with this model" in why(riqa(2, "assess", copy, clinic, "--coverage", 0.8))
    description.write_text(json.dumps(content | {"confidence": {"temperature": -1}}))
    assert "confidence.temperature" in why(riqa(2, "assess", copy, clinic))


@pytest.mark.parametrize("accepted", [False, True])
def test_a_phantom_model_says_so_everywhere_unless_accepted(lab, clinic, tmp_path, riqa, accepted):
    """The set was given the name toy: what was drawn is known from the set, not from a name."""
    given = ("assess", lab.stem, clinic, *["--accept-phantoms"] * accepted)
    told = riqa(0, *given, "--json", "--html", tmp_path / "page.html")
    assert [one["warning"] for one in answers(told.out)] == [None if accepted else PHANTOM_MODEL] * 7
    assert told.err.splitlines()[-1].endswith("; phantom model") != accepted
    page = (tmp_path / "page.html").read_text().casefold()
    assert page.count("phantom model: ") == (0 if accepted else 8)  # seven cards, and on top
    table = riqa(0, *given).out
    assert table.count("phantom model") == (0 if accepted else 8)  # seven rows, and below in full
    assert (f"{PHANTOM_MODEL} (7)" in table) != accepted


@pytest.mark.parametrize(
    ("told", "warned"),
    [
        ({"drawn": True, "trained_on": "clinic"}, True),
        ({"drawn": False, "trained_on": "clinic"}, False),
        ({"trained_on": "phantom_eyes"}, True),  # of a version that did not say what is drawn
        ({"trained_on": "simulated_details"}, False),
        ({}, False),
    ],
)
def test_what_a_model_was_trained_on_is_read_from_its_description(copy, clinic, told, warned):
    description = Path(f"{copy}.json")
    content = json.loads(description.read_text())
    assert (content.pop("drawn"), content.pop("trained_on")) == (True, "toy")
    description.write_text(json.dumps(content | told))
    assert open_session(copy, [clinic]).warning == (PHANTOM_MODEL if warned else None)


def test_every_number_of_the_command_line_arrives(lab, clinic, tmp_path, monkeypatch, riqa):
    seen, page = {}, tmp_path / "new" / "page.html"

    def spied(real):
        return lambda *given, **knobs: seen.update(knobs) or real(*given, **knobs)

    monkeypatch.setattr(room, "assess", spied(room.assess))
    monkeypatch.setattr(cli_assess, "work_ahead", spied(cli_assess.work_ahead))
    given = ("--batch-size", 3, "--threads", 1, "--quantile", 0.9, "--html", page, "--pictures", 2)
    riqa(0, "assess", lab.stem, clinic, *given)
    assert page.read_text().count("data:image/jpeg") == 4
    assert "Pictures are shown for the first 2 of 7 photographs" in page.read_text()
    assert seen == {"batch_size": 3, "quantile": 0.9, "threads": 1, "ahead": 6}
    assert inspect.signature(cli_assess.assess).parameters["quantile"].default == QUANTILE


# GoogleCloudPlatform/gsutil#1625, freedomofpress/dangerzone#768: names in archives of Windows are no UTF-8.
ODD_NAMES = (b"M\xfcller.jpg", b"a\nb.jpg", b"\x1b[31mred.jpg", b"[red]:eye:.jpg", "眼.jpg".encode())
ODD_SHOWN = ("M\ufffdller.jpg", "a\ufffdb.jpg", "\ufffd[31mred.jpg", "[red]:eye:.jpg", "眼.jpg")


@pytest.fixture
def odd(clinic):
    """The clinic as a folder whose name is odd, of files whose names are."""
    folder = clinic.with_name(os.fsdecode(b"cl[red]inic \xe9"))
    clinic.rename(folder)
    for file, name in zip(sorted(folder.glob("*.jpg")), ODD_NAMES, strict=False):
        file.rename(folder / os.fsdecode(name))
    (folder / os.fsdecode(b"\xff\n.png")).write_text("no image")
    return folder


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_odd_names_pass_every_outlet(lab, odd, tmp_path, monkeypatch, riqa, encoding):
    for arguments in (["--json"], []):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
        with monkeypatch.context() as changed:
            changed.setattr(sys, "stdout", out)
            err = riqa(1, "assess", lab.stem, odd, "--html", tmp_path / "page.html", *arguments).err
            out.flush()
        told = out.buffer.getvalue().decode(encoding)
        if arguments:
            names = [one["path"].rpartition("/")[2] for one in answers(told)]
            assert len(names) == 7
            assert {*ODD_SHOWN} <= {*names}
        else:
            sign = {"utf-8": "\ufffd", "ascii": r"\ufffd"}[encoding]
            assert f"/cl[red]inic{sign}photograph" in "".join(told.split())  # wherever the line was broken
            assert "\x1b" not in told
            assert "[red]:eye:.jpg" in told
        assert err.splitlines()[-1].endswith("\ufffd\ufffd.png: not an image file")
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert (page.count("data:image/jpeg"), "M\ufffdller.jpg" in page) == (13, True)  # heat maps of six


def test_odd_names_pass_the_line_of_why(lab, odd, tmp_path, riqa):
    line = why(riqa(2, "assess", lab.stem, odd / os.fsdecode(b"\xff\n.png"), "--json"))
    assert line.endswith("\ufffd\ufffd.png: not an image file")
    line = why(riqa(2, "assess", tmp_path / os.fsdecode(b"\xff\n"), odd))
    assert "\ufffd\ufffd.safetensors: no such model file" in line


def test_ctrl_c_leaves_whole_lines_and_no_page(lab, clinic, tmp_path):
    for k in range(80):
        with Image.open(next(clinic.glob("*.jpg"))) as image:
            image.resize((900, 900)).save(clinic / f"z{k:02d}.png", compress_level=1)
    page = tmp_path / "page.html"
    process = start(lab.stem, clinic, "--batch-size", 1, "--threads", 1, "--html", page)
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 1 <= len(answers(first + rest)) < 87
    assert "riqa: stopped." in errors
    assert "Traceback" not in errors
    assert not page.exists()


def test_a_reader_who_goes_away_is_no_failure(lab, clinic):
    process = start(lab.stem, clinic, "--batch-size", 1)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
