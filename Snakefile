"""The chapters' dependencies: each rule is one papermill run of one notebook.

`riqa book` (and so `make book`) runs this file; it can be run by hand too, on a cluster for instance:

    snakemake --cores 2 --config profile=quick
    snakemake --workflow-profile profiles/slurm --config profile=paper data=../photographs
"""

import json
import os
from pathlib import Path

from riqa.publish.layout import Build, find_root
from riqa.publish.plan import plan
from riqa.publish.profiles import read_profile

ROOT = find_root()
PROFILE = read_profile(ROOT, str(config.get("profile", "quick")))
BUILD = Build(ROOT, PROFILE.name)
JOBS = plan(ROOT, PROFILE.name, str(config.get("data", "")))


def relative(path):
    """Return a path as Snakemake records it, so that a moved repository is not built anew."""
    return os.path.relpath(path, ROOT)


rule all:
    input:
        [relative(BUILD.executed(job.chapter.name)) for job in JOBS],
        [relative(BUILD.artifacts(job.chapter.name)) for job in JOBS],


for place, job in enumerate(JOBS):
    chapter = job.chapter

    rule:
        name:
            chapter.name
        input:
            [relative(path) for path in job.inputs],
        output:
            executed=relative(BUILD.executed(chapter.name)),
            artifacts=relative(BUILD.artifacts(chapter.name)),
        params:
            # What is here and changes makes the chapter run again; the number of jobs and threads is not.
            run=json.dumps(
                {
                    "chapter": chapter.name,
                    "parameters": job.parameters,
                    "fingerprint": job.data_digest,
                    "profile": PROFILE.name,
                    "data": PROFILE.source,
                    "notebook": relative(chapter.notebook),
                    "out": relative(BUILD.work / chapter.name),
                    "executed": relative(BUILD.executed(chapter.name)),
                    "log": relative(BUILD.log(chapter.name)),
                    "progress": relative(BUILD.progress(chapter.name)),
                    "record": relative(BUILD.record(chapter.name)),
                }
            ),
        # In reading order, which leaves what nothing waits for to the end.
        priority: len(JOBS) - place
        threads: min(chapter.threads, PROFILE.processes or chapter.threads)
        shell:
            "python -m riqa.publish.run {params.run:q} --workers {threads} --inputs {input}"
