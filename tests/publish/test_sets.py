import pytest

from riqa.errors import InputError
from riqa.publish.plan import plan
from riqa.publish.sets import check_sets
from tests.data.layouts import write_table
from tests.publish.toy import write_chapter, write_profile


def assert_refused(parameters, data, *parts):
    with pytest.raises(InputError) as caught:
        check_sets(parameters, data, "profiles/p.yaml: 01_make_data")
    message = str(caught.value)
    assert "\n" not in message
    for part in ("profiles/p.yaml: 01_make_data: ", *parts):
        assert part in message


def test_sets_of_the_book_and_of_the_user_pass(tmp_path):
    write_table(tmp_path / "north")
    write_table(tmp_path)
    check_sets({"details_set": "phantom_details", "seeds": [0], "n": 3}, "", "p")
    check_sets({"overall_sets": ["north", "clinic", "eyeq"], "raters_set": "table"}, str(tmp_path), "p")


@pytest.mark.parametrize("name", ["my clinic", "klinik-nord", "dr.x", "köln", "../north", 2025, None])
def test_names_that_cannot_be_are_refused_with_the_parameter(tmp_path, name):
    write_table(tmp_path)
    assert_refused({"details_set": name}, str(tmp_path), "details_set: ", repr(name))
    assert_refused({"overall_sets": ["phantom_grades", name]}, str(tmp_path), "overall_sets: ", repr(name))


def test_sets_that_are_not_there_are_refused(tmp_path):
    write_table(tmp_path)
    assert_refused({"observer_set": "praxis"}, str(tmp_path), "observer_set: there is no set named 'praxis'")
    assert_refused({"overall_sets": ["mshv"]}, str(tmp_path), "(did you mean mshf?)")
    assert_refused({"overall_sets": ["phantom_grade"]}, "", "(did you mean phantom_grades?)")
    for name in ("eyeq", "simulated_details", "table"):
        assert_refused({"details_set": name}, "", f"{name} is made of real photographs; say in the profile")
    assert_refused({"overall_sets": ["clinic"]}, "", "in the DATA folder, once the profile says")


def test_a_set_named_twice_is_refused(tmp_path):
    write_table(tmp_path)
    write_table(tmp_path / "Clinic")
    assert_refused({"overall_sets": ["clinic", "clinic"]}, str(tmp_path), "names clinic twice")
    assert_refused({"overall_sets": ["clinic", "Clinic"]}, str(tmp_path), "names clinic twice")


def test_a_set_in_two_roles_is_refused(tmp_path):
    write_table(tmp_path)
    both = {"details_set": "clinic", "overall_sets": ["phantom_grades", "clinic"]}
    assert_refused(
        both, str(tmp_path), "clinic is details_set and overall_sets at once", "divide it into two"
    )
    observers = {"details_set": "phantom_details", "observer_set": "phantom_details"}
    assert_refused(observers, "", "phantom_details is details_set and observer_set at once")


def test_a_plan_checks_its_sets_before_anything_runs(toy, tmp_path):
    parameters = (
        'data: str = ""  # photographs, folder\noverall_sets: list = ["phantom_grades"]  # sets, names'
    )
    write_chapter(toy, "01_make_data", parameters, "value = 1", [])
    write_table(tmp_path / "data")
    write_profile(toy, "clinic", data="ours", parameters={"overall_sets": ["clinic"]})
    assert plan(toy, "clinic", str(tmp_path / "data"))[0].parameters["overall_sets"] == ["clinic"]
    write_profile(toy, "clinic", data="ours", parameters={"overall_sets": ["klinik nord"]})
    with pytest.raises(InputError, match=r"profiles/clinic.yaml: 01_make_data: overall_sets: 'klinik nord'"):
        plan(toy, "clinic", str(tmp_path / "data"))
    assert not (toy / "_build").exists()
