import pytest

from riqa.errors import InputError
from riqa.publish.plan import plan
from tests.publish.toy import write_chapter, write_profile


def by_name(jobs):
    return {job.chapter.name: job for job in jobs}


def test_a_chapter_gets_what_it_declares_and_its_own_values_win(toy):
    write_profile(toy, "p", parameters={"n": 4, "scale": 3}, chapters={"01_make_data": {"n": 5}})
    jobs = by_name(plan(toy, "p"))
    assert jobs["01_make_data"].parameters == {
        "n": 5,
        "work": "_build/p/work",
        "out": "_build/p/work/01_make_data",
    }
    assert jobs["02_scale_data"].parameters["scale"] == 3.0
    assert "n" not in jobs["02_scale_data"].parameters


def test_inputs_are_the_notebook_and_what_it_needs(toy):
    job = by_name(plan(toy, "toy"))["04_sum_data"]
    names = [path.relative_to(toy).as_posix() for path in job.inputs]
    assert names == [
        "notebooks/04_sum_data.ipynb",
        "_build/toy/work/02_scale_data/artifacts.json",
        "_build/toy/work/03_shift_data/artifacts.json",
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"parameters": {"m": 1}}, "no chapter declares a parameter 'm'"),
        ({"chapters": {"01_make_date": {}}}, r"no chapter '01_make_date' \(did you mean 01_make_data"),
        ({"chapters": {"01_make_data": {"m": 1}}}, "01_make_data declares no parameter 'm'"),
        ({"parameters": {"n": 1.5}}, "n must be int"),
    ],
)
def test_a_value_that_no_chapter_can_use_is_refused(toy, content, complaint):
    write_profile(toy, "p", **content)
    with pytest.raises(InputError, match=complaint):
        plan(toy, "p")


def test_data_is_checked_before_anything_runs(toy, tmp_path):
    write_profile(toy, "real", data="the label files")
    empty = tmp_path / "empty"
    empty.mkdir()
    for data, complaint in [("", "needs DATA="), ("/nowhere", "does not exist"), (str(empty), "is empty")]:
        with pytest.raises(InputError, match=complaint) as refused:
            plan(toy, "real", data)
        assert "the label files" in str(refused.value)
    assert not (toy / "_build").exists()


def test_only_the_chapter_that_reads_the_data_watches_it(toy, tmp_path):
    parameters = 'data: str = ""  # photographs, folder'
    write_chapter(toy, "01_make_data", parameters, "value = 1", [])
    write_profile(toy, "real", data="the label files")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a").write_text("1")
    before = by_name(plan(toy, "real", str(folder)))
    (folder / "b").write_text("1")
    after = by_name(plan(toy, "real", str(folder)))
    assert before["01_make_data"].parameters["data"] == str(folder)
    assert before["01_make_data"].data_digest != after["01_make_data"].data_digest
    assert after["02_scale_data"].data_digest == ""
