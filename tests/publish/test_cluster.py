"""Chapters as jobs of a cluster: the same artifacts, and each asks for what the profile says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from riqa.publish.chapters import read_chapters
from riqa.publish.layout import Build
from tests.publish.toy import REPOSITORY, value, write_profile

SLURM = REPOSITORY / "profiles" / "slurm"
SUBMIT = """#!/bin/sh
# Stands for sbatch: notes what is asked for, starts the job, and answers with its number.
echo "$1 $2 $3 $4" >> asked.txt
shift 4
sh "$@" > job.log 2>&1 &
echo $!
"""


def snakemake(root, *arguments):
    command = [sys.executable, "-m", "snakemake", *map(str, arguments)]
    activated = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=root, env=activated, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done


def test_chapters_run_as_jobs_of_a_cluster(toy):
    (toy / "submit").write_text(SUBMIT)
    (toy / "submit").chmod(0o755)
    resources = {
        "01_make_data": {"mem_mb": 1000, "runtime": 1},
        "02_scale_data": {"mem_mb": 2000, "runtime": 2, "gpu": 1},
    }
    profile = yaml.safe_load((SLURM / "config.yaml").read_text()) | {
        "executor": "cluster-generic",
        "cluster-generic-submit-cmd": "./submit {rule} {resources.mem_mb} {resources.runtime} {threads}",
        "latency-wait": 5,
        "set-resources": resources,
    }
    (toy / "cluster").mkdir()
    (toy / "cluster" / "config.yaml").write_text(yaml.safe_dump(profile))
    build = Build(toy, "toy")
    asking = [build.shown(build.artifacts("02_scale_data")), "--workflow-profile", "cluster"]
    asking += ["--config", "profile=toy"]
    snakemake(toy, *asking)
    asked = (toy / "asked.txt").read_text().splitlines()
    assert asked == ["01_make_data 1000 1 1", "02_scale_data 2000 2 1"]
    assert value(build.out("02_scale_data")) == 2 * 4  # n of the profile
    assert "Nothing to be done" in snakemake(toy, *asking).stderr


def test_the_slurm_profile_names_real_chapters_and_gives_those_that_train_a_graphics_card():
    """Without SLURM nothing can be submitted; a dry run reads everything up to there."""
    slurm, chapters = yaml.safe_load((SLURM / "config.yaml").read_text()), read_chapters(REPOSITORY)
    assert slurm["set-resources"].keys() <= chapters.keys()
    for name in chapters:
        asked = slurm["default-resources"] | slurm["set-resources"].get(name, {})
        assert asked["mem_mb"] >= 4000, name
        assert asked["runtime"] >= 60, name
        assert asked.get("gpu", 0) == ("_train_" in name or "pseudo" in name), name
    options = ("--workflow-profile", SLURM, "--executor", "dryrun", "--dry-run", "--nolock")
    snakemake(REPOSITORY, *options, "--config", "profile=smoke")


@pytest.mark.parametrize(("bound", "processes"), [({}, 2), ({"processes": 1}, 1)])
def test_a_profile_may_bound_the_processes_of_its_chapters(toy, bound, processes):
    listed = yaml.safe_load((toy / "notebooks" / "chapters.yaml").read_text())
    listed["02_scale_data"]["threads"] = 2
    (toy / "notebooks" / "chapters.yaml").write_text(yaml.safe_dump(listed))
    write_profile(toy, "toy", parameters={"n": 4}, **bound)
    told = snakemake(toy, "--cores", "2", "--dry-run", "--printshellcmds", "--config", "profile=toy").stdout
    (command,) = [line for line in told.splitlines() if '"notebooks/02_scale_data.ipynb"' in line]
    assert f"--workers {processes} " in command
