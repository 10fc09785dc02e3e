"""The chapters' dependencies: each rule is one papermill run of one notebook.

`riqa book` (and so `make book`) runs this file; it can be run by hand too, on a cluster for instance:

    snakemake --cores 2 --config profile=quick
    snakemake --workflow-profile profiles/slurm --config profile=paper data=../photographs
"""

import json

from riqa.publish.layout import Build, find_root
from riqa.publish.plan import plan
from riqa.publish.profiles import read_profile

ROOT = find_root()
PROFILE = read_profile(ROOT, str(config.get("profile", "quick")))
BUILD = Build(ROOT, PROFILE.name)
JOBS = plan(ROOT, PROFILE.name, str(config.get("data", "")), str(config.get("parts", "all")))
NAMES = [job.chapter.name for job in JOBS]


# Paths are relative, so that a moved repository is not built anew.
rule all:
    input:
        [BUILD.shown(BUILD.executed(name)) for name in NAMES],
        [BUILD.shown(BUILD.artifacts(name)) for name in NAMES],


for place, (name, job) in enumerate(zip(NAMES, JOBS)):

    rule:
        name:
            name
        input:
            [BUILD.shown(path) for path in job.inputs],
        output:
            executed=BUILD.shown(BUILD.executed(name)),
            artifacts=BUILD.shown(BUILD.artifacts(name)),
        params:
            # What is here and changes makes the chapter run again; the number of jobs and threads is not.
            run=json.dumps(
                BUILD.places(name)
                | {"profile": PROFILE.name, "data": PROFILE.source}
                | {"parameters": job.parameters, "fingerprint": job.data_digest}
            ),
        # In reading order, which leaves what nothing waits for to the end.
        priority: len(JOBS) - place
        threads: min(job.chapter.threads, PROFILE.processes or job.chapter.threads)
        shell:
            "python -m riqa.publish.forks chapter {params.run:q} --workers {threads} --inputs {input}"
