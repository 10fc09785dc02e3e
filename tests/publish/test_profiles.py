import pytest

from riqa.errors import InputError
from riqa.publish.profiles import profile_names, read_profile
from tests.publish.toy import write_profile


def test_read_profile(toy):
    write_profile(toy, "real", data="label files", chapters={"01_make_data": {"n": 2}})
    profile = read_profile(toy, "real")
    assert profile.needs_data
    assert profile.source == "label files"
    assert profile.chapters == {"01_make_data": {"n": 2}}
    assert not read_profile(toy, "toy").needs_data
    assert profile.processes is None
    assert profile_names(toy) == ["real", "toy"]


def test_an_unknown_profile_is_refused_with_the_nearest(toy):
    with pytest.raises(InputError, match=r"no profile 'tpy' \(did you mean toy\?\); there are toy"):
        read_profile(toy, "tpy")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("parameter: {}", r"unknown key 'parameter' \(did you mean parameters\?\)"),
        ("a: [", "YAML"),
        ("3", "must map"),
        ("parameters: [n]", r"odd.yaml: parameters is \['n'\], must map names to values"),
        ("chapters: {'05': 3}", "odd.yaml: chapters: 05 is 3, must map names to values"),
        ("parameters: {n: 1, n: 2}", "odd.yaml is not valid YAML: 'n' is given twice"),
        ("processes: 0", "odd.yaml: processes is 0, must be a whole number of at least 1"),
        ("processes: two", "odd.yaml: processes is 'two', must be a whole number"),
    ],
)
def test_a_profile_of_another_form_is_refused_in_one_line(toy, text, complaint):
    (toy / "profiles" / "odd.yaml").write_text(text)
    with pytest.raises(InputError, match=complaint) as refused:
        read_profile(toy, "odd")
    assert "\n" not in str(refused.value)
