"""The whole book in profile smoke: what it writes, what it takes, and what makes it run again."""

import os
import shlex
import subprocess
import sys

import pytest
import yaml

from riqa.files import tree_digests
from riqa.publish.build import chapter_environment, planned_chapters
from riqa.publish.chapters import read_chapters
from riqa.publish.kernel import kernel_environment
from tests.book.builds import FIRST, copy_smoke
from tests.book.conftest import read
from tests.publish.toy import REPOSITORY

pytestmark = pytest.mark.book

MEMORY_MB = 4000  # what any chapter may take


def test_every_chapter_lists_what_it_wrote_its_results_are_records_and_it_names_no_folder(smoke, chapters):
    here = str(REPOSITORY).encode()
    for name in chapters:
        artifacts = read(smoke.artifacts(name))
        assert artifacts == tree_digests(smoke.out(name), skip="artifacts.json")
        results = read(smoke.out(name) / "results.json")
        assert results, name
        assert len({record["name"] for record in results}) == len(results), name
        wanted = {"name", "value", "low", "high", "n", "seeds", "method"}
        assert all(set(record) >= wanted for record in results)
        for path in (smoke.out(name) / artifact for artifact in artifacts):
            assert path.suffix not in (".json", ".csv", ".parquet") or here not in path.read_bytes(), path


def test_no_chapter_takes_more_memory_than_it_may(smoke, chapters):
    peaks = {name: read(smoke.record(name))["facts"]["peak_memory_mb"] for name in chapters}
    assert min(peaks.values()) > 0
    assert max(peaks.values()) <= MEMORY_MB, peaks


def would_run(root):
    """Ask Snakemake which chapters it would run."""
    words = shlex.split("-m snakemake --dry-run --nolock --cores 1 --config profile=smoke")
    log, env = root / "dry_run.log", chapter_environment(root)
    with log.open("w") as stream:
        subprocess.run([sys.executable, *words], cwd=root, env=env, stdout=stream, stderr=stream, check=True)
    return planned_chapters(log, read_chapters(root))


def test_a_change_runs_again_exactly_what_it_touches(smoke, chapters, tmp_path):
    copy_smoke(tmp_path)
    assert would_run(tmp_path) == set()

    profile = tmp_path / "profiles" / "smoke.yaml"
    content = yaml.safe_load(profile.read_text())
    content["chapters"]["05_train_multi_task"]["lambda_details"] = 0.25
    profile.write_text(yaml.safe_dump(content))
    other_room = tmp_path / "riqa" / "publish" / "stage.py"
    other_room.write_text(other_room.read_text() + "\n# said otherwise\n")
    upstream = "01_curate_images 02_train_teacher 03_generate_pseudo_labels 04_train_single_task"
    beside = {"08_analyse_observers", "12b_audit_the_print", "19_grade_on_a_scale", "23_model_the_rater"}
    beside |= {"00_try_the_method", "27_start_self_supervised"}
    follow = set(chapters) - {*upstream.split(), *beside}
    assert would_run(tmp_path) == follow

    labels = tmp_path / "notebooks" / "03_generate_pseudo_labels.ipynb"
    labels.write_text(labels.read_text().replace("bins of the reliability diagram", "bins"))
    assert would_run(tmp_path) == follow | {"03_generate_pseudo_labels"}


def test_every_chapter_executed_again_writes_the_same_bytes(smoke, chapters, tmp_path):
    """All in one process, because a kernel for each would cost minutes; the first are built in `test_kills`.

    Of the laboratories, which train by the same loop, the first stands for all.
    """
    names = [name for name in chapters if name not in FIRST and name < "14"]
    with kernel_environment(1, tmp_path / "checkpoints"):
        command = [sys.executable, "-m", "tests.book.again", str(tmp_path), *names]
        environment = os.environ | {"MPLBACKEND": "agg"}
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr[-3000:]
    for name in names:
        assert tree_digests(tmp_path / name) == read(smoke.artifacts(name)), name
