import json

import pytest

from riqa.data.findings import Finding, from_json, to_json

FINDINGS = (Finding("images-missing", "warning", "two are missing", ("a", "b")), Finding("f", "info", "ü"))


def test_findings_survive_json():
    values = json.loads(json.dumps(to_json(FINDINGS)))
    assert values[0] == {
        "code": "images-missing",
        "severity": "warning",
        "message": "two are missing",
        "items": ["a", "b"],
    }
    assert from_json(values) == FINDINGS


def test_finding_prints_as_its_message():
    assert [str(finding) for finding in FINDINGS] == ["two are missing", "ü"]


def test_other_severity_is_a_mistake():
    with pytest.raises(ValueError, match="fatal"):
        Finding("f", "fatal", "m")
