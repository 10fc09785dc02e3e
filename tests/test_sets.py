"""The dataset behind a name: drawn in the sizes asked for, published, or the user's own; else one line why not."""

import pytest

from riqa.data.read import read_photograph
from riqa.sets import build_set, own_folder, real_folder
from tests.data.expect import REAL, needs_data, refused
from tests.data.layouts import write_table

SIZES = {"n_details_train": 20, "n_details_test": 6, "n_grades_train": 20, "n_grades_test": 10}
SIZES |= {"n_eyes_train": 12, "n_eyes_val": 4, "n_eyes_test": 8, "n_observers": 8, "photograph_size": 64}


def build(name, tmp_path, data="", **changes):
    return build_set(name, data=str(data), out=tmp_path / "out", sizes=SIZES | changes, seed=0)


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
    if name == "phantom_observers":
        larger = build(name, tmp_path / "larger", photograph_size=96)
        widths = [read_photograph(own.root / own.manifest["path"][0]).shape[1] for own in (dataset, larger)]
        assert widths[1] > widths[0]


@pytest.mark.parametrize("name", ["clinic", "table"])
def test_own_set_in_the_folder_that_was_given_is_called_as_the_profile_calls_it(name, tmp_path):
    write_table(tmp_path)  # its description says clinic
    (tmp_path / "clinic").mkdir()  # photographs in a folder of the set's name do not hide its description
    assert own_folder(name, str(tmp_path)) == tmp_path
    dataset = build(name, tmp_path, tmp_path)
    assert (dataset.name, set(dataset.manifest["dataset"])) == (name, {name})
    assert (dataset.root, dataset.n_classes) == (tmp_path, 3)


def test_several_own_sets_lie_in_folders_of_their_names(tmp_path):
    sizes = {"north": 20, "south_2": 24, "clinic": 28, "table": 32}
    for name, n in sizes.items():
        write_table(tmp_path / name.replace("_", "-"), n)
    for name, n in sizes.items():
        dataset = build(name, tmp_path, tmp_path)
        assert (dataset.name, len(dataset.manifest)) == (name, 2 * n)


@pytest.mark.parametrize(
    ("name", "data", "parts"),
    [
        ("mshv", "", ["'mshv'; there are phantom_details", " mshf"]),
        ("eyeq", "", ["give DATA="]),
        ("eyeq", "nowhere", ["nowhere does not exist"]),
        ("praxis", "", ["no set named 'praxis'", " in the DATA folder, once the profile"]),
        ("praxis", "empty", ["which ", "praxis/dataset.yaml or ", "/dataset.yaml must describe"]),
        ("table", "empty", ["dataset.yaml does not exist"]),
        ("praxis", "own", ["no set named 'praxis'", "dataset.yaml says name: clinic"]),
        ("klinik-nord", "own", ["'klinik-nord' cannot be the name of a set; legal: a letter"]),
    ],
)
def test_a_set_that_is_not_there_says_what_to_give_and_where_it_should_be(tmp_path, name, data, parts):
    write_table(tmp_path / "own")
    (tmp_path / "empty").mkdir()
    with refused(*parts):
        build(name, tmp_path, data and tmp_path / data)


def test_a_real_set_lies_in_a_folder_of_its_name_or_in_the_folder_given(tmp_path):
    (tmp_path / "eyeq").mkdir()
    (tmp_path / "eyeq-d").mkdir()
    places = [real_folder(name, str(tmp_path)) for name in ("eyeq", "eyeq_d", "mshf")]
    assert places == [tmp_path / "eyeq", tmp_path / "eyeq-d", tmp_path]


@needs_data
def test_real_thumbnails_agree_with_the_label_files(tmp_path):
    manifest = build("eyeq", tmp_path, REAL).manifest
    assert manifest["overall"].value_counts().to_dict() == {2.0: 1201, 1.0: 265, 0.0: 349}
    assert abs((manifest["split"] == "train").mean() - 0.6) < 0.01
    assert build("eyeq", tmp_path, REAL / "eyeq").manifest.equals(manifest)
