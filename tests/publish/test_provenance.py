import platform
import subprocess

import torch

from riqa.publish.provenance import code_version, hardware, versions


def test_versions_are_those_of_the_packages():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["torch"].split("+")[0] == torch.__version__.split("+")[0]


def test_hardware_names_a_processor_and_counts():
    machine = hardware()
    assert machine["processor"]
    assert machine["cores"] >= 1
    assert machine["memory_gb"] >= 1


def test_code_version_is_the_commit_and_tells_local_changes(tmp_path):
    assert code_version(tmp_path) == "unknown"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "riqa").mkdir()
    (tmp_path / "riqa" / "x.py").write_text("1")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run(git + command, check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert code_version(tmp_path) == commit[:10]
    (tmp_path / "riqa" / "x.py").write_text("2")
    assert code_version(tmp_path) == f"{commit[:10]} with local changes"
