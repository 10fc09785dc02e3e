import os
from pathlib import Path

import pytest

from riqa.data.roles import build_set, own_folder, real_folder
from riqa.errors import InputError
from tests.data.layouts import write_table

SIZES = {
    "n_details_train": 20,
    "n_details_test": 6,
    "n_grades_train": 20,
    "n_grades_test": 10,
    "n_eyes_train": 12,
    "n_eyes_val": 4,
    "n_eyes_test": 8,
    "n_observers": 8,
    "photograph_size": 64,
}


def build(name, tmp_path, data="", **changes):
    return build_set(name, data=data, out=tmp_path / name, sizes=SIZES | changes, seed=0)


@pytest.mark.parametrize(
    ("name", "n_classes", "counts"),
    [
        ("phantom_details", None, {"train": 18, "val": 2, "test": 6}),
        ("phantom_grades", 3, {"train": 18, "val": 2, "test": 10}),
        ("phantom_eyes", 2, {"train": 12, "val": 4, "test": 8}),
        ("phantom_observers", 3, {"test": 8}),
    ],
)
def test_phantom_sets_have_the_sizes_asked_for(name, n_classes, counts, tmp_path):
    dataset = build(name, tmp_path)
    assert (dataset.name, dataset.n_classes) == (name, n_classes)
    assert dataset.manifest["split"].value_counts().to_dict() == counts
    assert all((dataset.root / path).is_file() for path in dataset.manifest["path"])


def test_photograph_size_is_alive(tmp_path):
    from riqa.data.read import read_photograph

    widths = []
    for size in (64, 96):
        dataset = build_set(
            "phantom_observers",
            data="",
            out=tmp_path / str(size),
            sizes=SIZES | {"photograph_size": size},
            seed=0,
        )
        widths.append(read_photograph(dataset.root / dataset.manifest["path"][0]).shape[1])
    assert widths[1] > widths[0]


def test_unknown_name_lists_the_known(tmp_path):
    with pytest.raises(InputError, match=r"'mshv'; there are phantom_details.* mshf"):
        build("mshv", tmp_path)


def test_real_set_without_data_says_what_to_give(tmp_path):
    with pytest.raises(InputError, match="give DATA="):
        build("eyeq", tmp_path)
    with pytest.raises(InputError, match="nowhere does not exist"):
        build("eyeq", tmp_path, data=str(tmp_path / "nowhere"))


@pytest.mark.parametrize("name", ["clinic", "table"])
def test_own_set_in_the_folder_that_was_given_is_called_as_the_profile_calls_it(name, tmp_path):
    write_table(tmp_path)  # its description says clinic
    dataset = build(name, tmp_path, data=str(tmp_path))
    assert (dataset.name, set(dataset.manifest["dataset"])) == (name, {name})
    assert (dataset.root, dataset.n_classes) == (tmp_path, 3)


def test_several_own_sets_lie_in_folders_of_their_names(tmp_path):
    for name, n in (("north", 20), ("south-2", 24), ("clinic", 28), ("table", 32)):
        write_table(tmp_path / name, n)
    for name, n in (("north", 20), ("south_2", 24), ("clinic", 28), ("table", 32)):
        dataset = build(name, tmp_path, data=str(tmp_path))
        assert (dataset.name, len(dataset.manifest)) == (name, 2 * n)


def test_photographs_in_a_folder_of_the_sets_name_do_not_hide_its_description(tmp_path):
    write_table(tmp_path)
    (tmp_path / "clinic").mkdir()
    assert own_folder("clinic", str(tmp_path)) == tmp_path


def test_own_set_that_is_not_there_says_where_it_should_be(tmp_path):
    data = str(tmp_path)
    with pytest.raises(InputError, match=r"no set named 'praxis'.* in the DATA folder, once the profile"):
        build("praxis", tmp_path)
    with pytest.raises(InputError, match=r"which .*praxis/dataset.yaml or .*/dataset.yaml must describe"):
        build("praxis", tmp_path, data=data)
    with pytest.raises(InputError, match=r"dataset.yaml does not exist"):
        build("table", tmp_path, data=data)
    write_table(tmp_path)
    with pytest.raises(InputError, match=r"no set named 'praxis'.*dataset.yaml says name: clinic"):
        build("praxis", tmp_path, data=data)
    with pytest.raises(InputError, match=r"'klinik-nord' cannot be the name of a set; legal: a letter"):
        build("klinik-nord", tmp_path, data=data)


@pytest.mark.skipif("RIQA_DATA" not in os.environ, reason="RIQA_DATA names no folder of real data")
def test_real_thumbnails_agree_with_the_label_files(tmp_path):
    data = Path(os.environ["RIQA_DATA"])
    manifest = build("eyeq", tmp_path, data=str(data)).manifest
    assert manifest["overall"].value_counts().to_dict() == {2.0: 1201, 1.0: 265, 0.0: 349}
    assert abs((manifest["split"] == "train").mean() - 0.6) < 0.01
    direct = build("eyeq", tmp_path, data=str(data / "eyeq")).manifest
    assert direct.equals(manifest)


def test_a_real_set_lies_in_a_folder_of_its_name_or_in_the_folder_given(tmp_path):
    (tmp_path / "eyeq").mkdir()
    (tmp_path / "eyeq-d").mkdir()
    assert real_folder("eyeq", str(tmp_path)) == tmp_path / "eyeq"
    assert real_folder("eyeq_d", str(tmp_path)) == tmp_path / "eyeq-d"
    assert real_folder("mshf", str(tmp_path)) == tmp_path
    with pytest.raises(InputError, match="does not exist"):
        real_folder("eyeq", str(tmp_path / "nowhere"))
