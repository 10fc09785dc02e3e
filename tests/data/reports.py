"""A small EyeQ, and the findings of a report, for the tests of checking."""

from pathlib import Path

from riqa.data.audit import Report
from riqa.data.findings import Finding
from tests.data.layouts import write_eyeq

CLASSES = ("good", "good", "usable", "reject")


def eyeq_labels(patients) -> dict[str, str]:
    """Return labels of both eyes of patients: stem -> class name."""
    stems = [f"{patient}_{eye}" for patient in patients for eye in ("left", "right")]
    return {stem: CLASSES[k % 4] for k, stem in enumerate(stems)}


def small_eyeq(root: Path) -> Path:
    """Write EyeQ with 20 training patients from 100 on and 8 test patients from 200 on."""
    return write_eyeq(root, eyeq_labels(range(100, 120)), eyeq_labels(range(200, 208)))


def found(report: Report, code: str) -> list[Finding]:
    """Return the findings with a code."""
    return [finding for finding in report.findings if finding.code == code]


def one(report: Report, code: str) -> Finding:
    """Return the only finding with a code."""
    (finding,) = found(report, code)
    return finding
