"""YAML as version 1.2 reads it; a key given twice and a file that cannot be read are refused in a line."""

import math

import pytest
import yaml

from riqa.yaml_text import parse_yaml, read_yaml
from tests.data.expect import refused


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001), ("1e4", 10000.0), ("5E-1", 0.5), ("1.5e+2", 150.0),  # text in YAML 1.1: rbgirshick/yacs#46
        (".5", 0.5), ("1.", 1.0), ("-2.5", -2.5), ("+1", 1), ("1_000", 1000), ("-.inf", -math.inf),
        ("010", 10), ("on", "on"), ("1:30", "1:30"), ("2026-01-02", "2026-01-02"),  # 8, true, 90, a date in 1.1
        ("true", True), ("~", None), ("", None), ("no", "no"), ("e5", "e5"), ("1.2.3", "1.2.3"), ("'1e-3'", "1e-3"),
        ("[1e-3, no]", [0.001, "no"]), ("{a: 1, b: {c: 1e3}}", {"a": 1, "b": {"c": 1000.0}}),
        ("{a: &a {x: 1, y: 2}, b: {<<: *a, y: 3}}", {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}),
    ],
)  # fmt: skip
def test_values_are_those_of_yaml_1_2(text, value):
    read = parse_yaml(text)
    assert (read, type(read)) == (value, type(value))


def test_as_text_every_value_stays_what_it_is():
    read = parse_yaml("{a: 1e-3, b: no, c: [010, ~], d:}", as_text=True)
    assert read == {"a": "1e-3", "b": "no", "c": ["010", "~"], "d": ""}


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("text", ["{a: 1, a: 2}", "b: {c: 1, d: 2, c: 3}"])
def test_a_key_that_is_given_twice_is_refused(text, as_text):
    with pytest.raises(yaml.YAMLError, match=r"'[ac]' is given twice"):
        parse_yaml(text, as_text)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    file = tmp_path / "plan.yaml"
    with refused("plan.yaml cannot be read (No such file"):
        read_yaml(file)
    for content, why in ((b"a: \xff", "utf-8"), (b"a: [1", "expected")):
        file.write_bytes(content)
        with refused("it is not valid YAML: ", why):
            read_yaml(file, "it")
    file.write_bytes(b"\xef\xbb\xbfa: 1e-3\n")  # Windows editors put a mark before the text
    assert read_yaml(file) == {"a": 0.001}
