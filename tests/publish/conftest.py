import pytest

from riqa.publish.layout import Build
from riqa.publish.run import ChapterRun
from tests.publish.toy import make_repository


@pytest.fixture
def toy(tmp_path):
    """A toy repository of its own."""
    return make_repository(tmp_path / "toy")


@pytest.fixture
def run(toy):
    """A run of the first toy chapter."""
    build, name = Build(toy, "toy"), "01_make_data"
    notebook, out = toy / "notebooks" / f"{name}.ipynb", build.work / name
    places = {place: getattr(build, place)(name) for place in ("executed", "log", "progress", "record")}
    return ChapterRun(
        name, toy, notebook, {"n": 4, "out": str(out)}, out, workers=2, profile="toy", data="nothing",
        inputs=(notebook,), **places,
    )  # fmt: skip
