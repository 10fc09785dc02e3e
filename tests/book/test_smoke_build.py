"""The whole book in profile smoke: what it writes, what it takes, and what makes it run again."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

from benchmarks.kill_builds import SOURCES
from riqa.files import tree_digests
from riqa.publish.build import chapter_environment, planned_chapters
from riqa.publish.chapters import read_chapters
from riqa.publish.layout import Build
from riqa.publish.progress import read_progress
from tests.book.conftest import alone_with_the_smoke_book, read
from tests.publish.toy import REPOSITORY

pytestmark = pytest.mark.book

COMMAND = [sys.executable, "-m", "riqa.cli", "book", "--profile", "smoke", "--parts", "all"]
MEMORY_MB = 4000  # what any chapter may take


def test_every_chapter_lists_what_it_wrote_and_its_results_are_records(smoke, chapters):
    for name in chapters:
        artifacts = read(smoke.artifacts(name))
        assert artifacts == tree_digests(smoke.work / name, skip="artifacts.json")
        results = read(smoke.work / name / "results.json")
        assert results, name
        assert len({record["name"] for record in results}) == len(results), name
        wanted = {"name", "value", "low", "high", "n", "seeds", "method"}
        assert all(set(record) >= wanted for record in results)


def test_no_artifact_names_a_folder_of_this_machine(smoke, chapters):
    here = str(REPOSITORY).encode()
    for name in chapters:
        for path in (smoke.work / name).rglob("*"):
            if path.suffix in (".json", ".csv", ".parquet"):
                assert here not in path.read_bytes(), path


def test_no_chapter_takes_more_memory_than_it_may(smoke, chapters):
    peaks = {name: read(smoke.record(name))["facts"]["peak_memory_mb"] for name in chapters}
    assert min(peaks.values()) > 0
    assert max(peaks.values()) <= MEMORY_MB, peaks


def test_with_nothing_to_do_nothing_is_done_whatever_the_jobs(smoke, chapters):
    files = [smoke.html / "index.html", *(smoke.record(name) for name in chapters)]
    stamps = [path.stat().st_mtime_ns for path in files]
    for jobs in ("2", "1"):
        command = [*COMMAND, "--jobs", jobs]
        with alone_with_the_smoke_book():
            done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
            assert not list(smoke.folder.glob("progress/*"))  # no chapter was as much as started
        assert "done in" not in done.stdout
        assert "an earlier build; still valid" in done.stdout
    assert [path.stat().st_mtime_ns for path in files] == stamps


def copy_repository(folder, work):
    """Copy the sources, and with ``work`` the smoke build, so that a test may change them."""
    for name in SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)
    if work:
        shutil.copytree(REPOSITORY / ".snakemake" / "metadata", folder / ".snakemake" / "metadata")
        for name in ("work", "executed", "records"):
            shutil.copytree(REPOSITORY / "_build" / "smoke" / name, folder / "_build" / "smoke" / name)


def would_run(root):
    """Ask Snakemake which chapters it would run."""
    words = shlex.split("-m snakemake --dry-run --nolock --cores 1 --config profile=smoke")
    log, env = root / "dry_run.log", chapter_environment(root)
    with log.open("w") as stream:
        subprocess.run([sys.executable, *words], cwd=root, env=env, stdout=stream, stderr=stream, check=True)
    return planned_chapters(log, read_chapters(root))


def change_profile(root, chapter, name, value):
    path = root / "profiles" / "smoke.yaml"
    profile = yaml.safe_load(path.read_text())
    profile.setdefault("chapters", {}).setdefault(chapter, {})[name] = value
    path.write_text(yaml.safe_dump(profile))


def test_a_change_runs_again_exactly_what_it_touches(smoke, chapters, tmp_path):
    copy_repository(tmp_path, work=True)
    assert would_run(tmp_path) == set()

    change_profile(tmp_path, "05_train_multi_task", "lambda_details", 0.25)
    upstream = "01_curate_images 02_train_teacher 03_generate_pseudo_labels 04_train_single_task"
    follow = set(chapters) - {*upstream.split(), "08_analyse_observers", "12b_audit_the_print"}
    follow -= {"22_grade_on_a_scale"}
    assert would_run(tmp_path) == follow

    other_room = tmp_path / "riqa" / "publish" / "stage.py"
    other_room.write_text(other_room.read_text() + "\n# said otherwise\n")
    assert would_run(tmp_path) == follow

    labels = tmp_path / "notebooks" / "03_generate_pseudo_labels.ipynb"
    labels.write_text(labels.read_text().replace("bins of the reliability diagram", "bins"))
    assert would_run(tmp_path) == follow | {"03_generate_pseudo_labels"}


def test_one_job_and_a_kill_in_the_middle_give_the_same_artifacts(smoke, chapters, tmp_path):
    """Built anew with one job, killed while chapter 02 trains, and built on: every byte is the same."""
    copy_repository(tmp_path, work=False)
    command = [*COMMAND, "--jobs", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    build = Build(tmp_path, "smoke")
    deadline = time.time() + 300
    while time.time() < deadline and process.poll() is None:
        progress = read_progress(build.progress("02_train_teacher"))
        if progress and progress.cell >= 4:
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert build.artifacts("01_curate_images").is_file()
    assert not build.artifacts("02_train_teacher").is_file()

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "01_curate_images: done" not in done.stdout
    for name in chapters:
        assert read(build.artifacts(name)) == read(smoke.artifacts(name)), name
