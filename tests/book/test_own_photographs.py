"""The recipe of book/your_photographs.md, followed from two dozen files and a table to the rendered pages."""

import re
import shutil

import pandas as pd
import pytest
import yaml

from benchmarks.kill_builds import copy_sources
from riqa import results
from riqa.phantom.study import phantom_grades
from riqa.publish.chapters import read_chapters
from riqa.publish.layout import Build
from riqa.studies.curation import ALL_SETS
from tests.book.builds import run_riqa
from tests.publish.toy import REPOSITORY

pytestmark = pytest.mark.book

PAGE = (REPOSITORY / "book" / "your_photographs.md").read_text()
YAML = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
AUDITS = ("01_curate_images", "07b_question_the_details", "12b_audit_the_print")  # of the paper and its sets
UNGRADED = 3  # photographs of which nobody has said how good they are

# As little of everything as the chapters can do with.
SMALL = {"image_size": 32, "photograph_size": 128, "n_details_train": 48, "n_details_test": 24}
SMALL |= {"n_observers": 24, "seeds": [0], "batch_size": 8, "learning_rate": 0.01}
RESAMPLED = "06_compare_overall_quality 06b_question_the_comparison 06c_trust_a_prediction"
RESAMPLED += " 07_examine_quality_details 07b_question_the_details 08_analyse_observers"
SMALL_CHAPTERS = {chapter: {"n_resamples": 100} for chapter in RESAMPLED.split()} | {
    "02_train_teacher": {"epochs": 2},
    "04_train_single_task": {"epochs": 2},
    "05_train_multi_task": {"epochs": 1},
    "09_explain_decisions": {"n_located": 4, "n_resamples": 100},
    "09b_test_the_maps": {"n_images": 2, "n_located": 4, "n_resamples": 100},
    "10_map_latent_space": {"map_seeds": [0], "n_permutations": 200, "n_resamples": 100},
    "11_guide_recapture": {"n_rendered": 4, "n_resamples": 100},
}


def block(beginning):
    """Return the one block of the page that begins so."""
    (found,) = [text for text in YAML if text.startswith(beginning)]
    return found


def write_clinic(folder, scratch):
    """Write the page's dataset.yaml, two dozen photographs, and a table as a German Excel saves it."""
    made = phantom_grades(scratch, n_train=18, n_test=6, size=128, seed=1)
    folder.mkdir()
    (folder / "dataset.yaml").write_text(block("name: clinic"))
    rows = ["Befunde;;;;", "file;patient;eye;grade;sharp"]
    for k, row in enumerate(made.manifest.itertuples()):
        shutil.copy(made.root / row.path, folder / f"{k:02d} Müller.jpg")
        eye, grade = {"right": "OD", "left": "OS"}[row.eye], "CBA"[int(row.overall)]
        rows.append(
            f"{k:02d} Müller.jpg;{row.patient_id};{eye};{grade if k % 8 else ''};{('yes', 'no')[k % 2]}"
        )
    (folder / "labels.csv").write_text("\r\n".join([*rows, ";;;;", ""]), encoding="cp1252")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the repository in ``book`` and the photographs in ``clinic``."""
    place = tmp_path_factory.mktemp("own")
    copy_sources(REPOSITORY, place / "book")
    write_clinic(place / "clinic", place / "drawn")
    return place


def run(place, line):
    """Run a command, which the page prints, in the repository, and return what it says."""
    assert line in PAGE
    return run_riqa(place / "book", line)


def test_check_curate_train_and_assess_as_the_page_says(place):
    assert "assigned to train, val and test" in run(place, "riqa check table --root ../clinic")
    run(place, "riqa curate table --root ../clinic --out ../stores/clinic --size 224")
    manifest = pd.read_parquet(place / "stores" / "clinic" / "manifest.parquet")
    assert (len(manifest), manifest["overall"].isna().sum()) == (24, UNGRADED)
    assert set(manifest["dataset"]) == {"clinic"}
    plan = yaml.safe_load(block("store: ../stores/clinic"))
    # The network of the page takes minutes and a download; everything else is as printed.
    plan |= {"backbone": "resnet10", "weights": "none", "seeds": [0]}
    plan["training"]["epochs"] = 1
    (place / "book" / "my_training.yaml").write_text(yaml.safe_dump(plan))
    run(place, "riqa train --config my_training.yaml")
    model = place / "models" / "clinic" / "single_task-clinic-s0"
    assert model.with_suffix(".safetensors").is_file()
    on_one_line = PAGE.replace(" \\\n  ", " ")
    (line,) = re.findall(r"^riqa assess \S+ photographs --html .*$", on_one_line, re.MULTILINE)
    line = line.replace(line.split()[2], str(model)).replace(" photographs ", " ../clinic ")
    assert "24 photographs" in run_riqa(place / "book", line)
    assert "Müller" in (place / "book" / "assessment.html").read_text()


def test_the_whole_book_is_built_under_the_name_that_the_profile_uses(place):
    root = place / "book"
    profile = yaml.safe_load(block("description: Our clinic"))
    assert profile["parameters"]["overall_sets"] == ["clinic"]
    profile |= {"parameters": SMALL | profile["parameters"], "chapters": SMALL_CHAPTERS, "processes": 1}
    (root / "profiles" / "clinic.yaml").write_text(yaml.safe_dump(profile))
    # What `make book PROFILE=clinic DATA=../clinic` runs, once the environment is there.
    assert "make book PROFILE=clinic DATA=../clinic" in PAGE
    run_riqa(root, "riqa book --profile clinic --data ../clinic --jobs 2")

    build = Build(root, "clinic")
    sets = {"clinic", "phantom_details", "phantom_observers"}
    others = {ALL_SETS, "three clouds", ""}  # all together, a drawing of chapter 10, and numbers about no set
    printed = {"eyeq", "eyeq_d", "deepdrid", "mshf"}  # what the paper prints, audited in every build
    for path in build.work.rglob("*.parquet"):
        if path.is_relative_to(build.out("00_try_the_method")):
            continue  # it draws its own photographs in every build
        audits = path.parent.name in AUDITS
        table = pd.read_parquet(path)
        for column in {"dataset", "trained_on", "set"} & set(table):
            assert set(table[column].dropna()) <= sets | others | (printed if audits else set()), path
    stems = {path.stem for path in build.work.rglob("*-s0.safetensors")}
    assert {"single_task-clinic-s0", "multi_task-clinic-s0", "teacher-phantom_details-s0"} <= stems
    predictions = pd.read_parquet(build.work / "05_train_multi_task" / "predictions.parquet")
    test = predictions[(predictions["dataset"] == "clinic") & (predictions["split"] == "test")]
    graded = test.dropna(subset="overall")["image_id"].nunique()
    compared = results.read(build.work / "06_compare_overall_quality")
    found = results.find(compared, dataset="clinic", model="multi_task", metric="macro_f1")
    assert found["n"] == graded
    for name in read_chapters(root, "1"):
        page = (build.html / "notebooks" / f"{name}.html").read_text()
        assert "Traceback" not in page, name
    for name in ("01_curate_images", "06_compare_overall_quality", "11_guide_recapture"):
        assert "clinic" in (build.html / "notebooks" / f"{name}.html").read_text(), name
