import inspect
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress

import cv2
import numpy as np
import pytest
from PIL import Image

from riqa import cli_assess
from riqa.cli import main
from riqa.learn.novelty import QUANTILE
from tests.assess.strangers import STRANGERS


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def clinic(lab, tmp_path):
    """Six photographs, and in a folder below them noise."""
    root = tmp_path / "clinic"
    (root / "z").mkdir(parents=True)
    for path in lab.photographs(6):
        shutil.copy(path, root)
    cv2.imwrite(str(root / "z" / "noise.png"), STRANGERS["noise"](np.random.default_rng(0)))
    return root


def ends_with(status, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["assess", *map(str, arguments)])
    assert ended.value.code == status


def answers(out):
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("ending", ["", ".safetensors", ".json", ".novelty.safetensors"])
def test_any_file_of_a_model_names_it(lab, clinic, capsys, ending):
    ends_with(0, f"{lab.stem}{ending}", clinic, "--json")
    told = capsys.readouterr()
    found = answers(told.out)
    assert [one["path"] for one in found] == [
        str(path) for path in [*sorted(clinic.glob("*.jpg")), clinic / "z" / "noise.png"]
    ]
    assert [one["abstain"] for one in found] == [False] * 6 + [True]
    assert found[-1]["reason"].startswith("no fundus")
    for one in found:
        assert list(one) == ["path", "overall", "details", "advice", "abstain", "reason"]
    assert [line.split(":")[0] for line in told.err.splitlines()] == ["7 photographs"]  # no progress in a log


def test_progress_is_shown_on_a_terminal(lab, clinic):
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    command = [sys.executable, "-m", "riqa.cli", "assess", str(lab.stem), str(clinic), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, text=True) as process:
        os.close(terminal)
        told = b""
        with suppress(OSError):  # how Linux says that nobody writes to it any more
            while piece := os.read(controller, 1000):
                told += piece
        assert len(answers(process.stdout.read())) == 7
    os.close(controller)
    assert process.returncode == 0
    assert b"assess: 100%" in told
    assert b"7/7" in told


def test_a_table_by_default_and_bad_files_at_the_end(lab, clinic, capsys):
    (clinic / "0.jpg").write_text("no image")
    ends_with(1, lab.stem, clinic, clinic / "gone.jpg")
    told = capsys.readouterr()
    rows = [line.split() for line in told.out.splitlines()]
    assert ["photograph", "overall", "illumination", "clarity", "contrast", "advice"] in rows
    assert any(row[:1] == ["z/noise.png"] for row in rows)
    assert "0.jpg" not in told.out.split()
    lines = told.err.splitlines()
    assert lines[-3].endswith("2 could not be read")
    assert lines[-2:] == [
        f"  {clinic / '0.jpg'}: not an image file",
        f"  {clinic / 'gone.jpg'}: file is missing",
    ]


def test_bad_files_are_no_json_and_do_not_stop_the_rest(lab, clinic, capsys):
    (clinic / "0.jpg").write_text("no image")
    ends_with(1, lab.stem, clinic, "--json")
    assert len(answers(capsys.readouterr().out)) == 7


def test_an_empty_folder_among_others_is_a_finding(lab, clinic, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    ends_with(1, lab.stem, clinic, tmp_path / "empty", "--json")
    told = capsys.readouterr()
    assert len(answers(told.out)) == 7
    assert "empty: no image in this folder" in told.err


def one_line_of_why(capsys):
    told = capsys.readouterr()
    assert told.out == ""
    lines = [line for line in told.err.splitlines() if line.startswith("riqa: ")]
    assert len(lines) == 1
    assert "Traceback" not in told.err
    return lines[0]


def test_what_cannot_be_done_ends_with_2_and_one_line(lab, clinic, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    ends_with(2, lab.stem, tmp_path / "empty")
    assert "no image in" in one_line_of_why(capsys)
    ends_with(2, tmp_path / "nowhere", clinic)
    assert "nowhere.safetensors: no such model file" in one_line_of_why(capsys)
    (tmp_path / "notes.txt").write_text("no image")
    ends_with(2, lab.stem, tmp_path / "notes.txt", "--json")
    assert "none of 1 files can be read" in one_line_of_why(capsys)
    ends_with(2, lab.stem, clinic, "--html", clinic)
    assert "is a folder" in one_line_of_why(capsys)


@pytest.mark.parametrize("ending", ["safetensors", "novelty.safetensors", "json"])
def test_a_model_cut_short_is_named(lab, clinic, tmp_path, capsys, ending):
    for file in lab.stem.parent.glob(f"{lab.stem.name}.*"):
        shutil.copy(file, tmp_path)
    file = tmp_path / f"{lab.stem.name}.{ending}"
    file.write_bytes(file.read_bytes()[:300])
    ends_with(2, tmp_path / lab.stem.name, clinic)
    assert f"{lab.stem.name}.{ending}" in one_line_of_why(capsys)


def test_a_model_without_novelty_says_so_and_answers(lab, clinic, tmp_path, capsys):
    for ending in ("safetensors", "json"):
        shutil.copy(f"{lab.stem}.{ending}", tmp_path)
    ends_with(0, tmp_path / lab.stem.name, clinic, "--json", "--html", tmp_path / "page.html")
    told = capsys.readouterr()
    assert len(answers(told.out)) == 7
    assert "riqa: this model came without its .novelty.safetensors" in told.err
    assert "This model came without its .novelty.safetensors" in (tmp_path / "page.html").read_text()


def test_a_page_beside_the_answers(lab, clinic, tmp_path, capsys):
    page = tmp_path / "new" / "page.html"
    ends_with(0, lab.stem, clinic, "--json", "--html", page, "--pictures", 2)
    assert len(answers(capsys.readouterr().out)) == 7
    text = page.read_text()
    assert text.count("data:image/jpeg") == 4
    assert "Pictures are shown for the first 2 of 7 photographs" in text
    assert [file.name for file in page.parent.iterdir()] == ["page.html"]


def test_every_number_of_the_command_line_arrives(lab, clinic, monkeypatch, capsys):
    import riqa.assess.session as session

    seen = {}
    for name in ("assess", "read_ahead"):
        real = getattr(session, name)

        def spy(*arguments, real=real, **knobs):
            seen.update(knobs)
            return real(*arguments, **knobs)

        monkeypatch.setattr(session, name, spy)
    ends_with(0, lab.stem, clinic, "--batch-size", 3, "--threads", 1, "--quantile", 0.9)
    assert seen == {"batch_size": 3, "quantile": 0.9, "threads": 1, "ahead": 6}


def test_the_quantile_is_the_documented_one():
    assert inspect.signature(cli_assess.assess).parameters["quantile"].default == QUANTILE


@pytest.mark.parametrize(
    "arguments", [["--batch-size", "0"], ["--threads", "0"], ["--quantile", "2"], ["--pictures", "-1"]]
)
def test_a_number_out_of_range_is_refused(lab, clinic, capsys, arguments):
    ends_with(2, lab.stem, clinic, *arguments)
    assert capsys.readouterr().out == ""


def start(lab, clinic, *arguments):
    command = [sys.executable, "-m", "riqa.cli", "assess", str(lab.stem), str(clinic), "--json", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_leaves_whole_lines_and_no_page(lab, clinic, tmp_path):
    for k in range(80):
        with Image.open(next(clinic.glob("*.jpg"))) as image:
            image.resize((900, 900)).save(clinic / f"z{k:02d}.png", compress_level=1)
    process = start(lab, clinic, "--batch-size", "1", "--threads", "1", "--html", str(tmp_path / "page.html"))
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    lines = (first + rest).splitlines()
    assert 1 <= len(lines) < 87
    assert all(json.loads(line)["path"] for line in lines)
    assert "riqa: stopped." in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "page.html").exists()


def test_a_reader_who_goes_away_is_no_failure(lab, clinic):
    process = start(lab, clinic, "--batch-size", "1")
    process.stdout.close()
    errors = process.stderr.read()
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.stderr.close()
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
