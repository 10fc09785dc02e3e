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
    build = Build(toy, "toy")
    name = "01_make_data"
    out = build.work / name
    return ChapterRun(
        chapter=name,
        root=toy,
        notebook=toy / "notebooks" / f"{name}.ipynb",
        parameters={"n": 4, "out": str(out)},
        out=out,
        executed=build.executed(name),
        log=build.log(name),
        progress=build.progress(name),
        workers=2,
        profile="toy",
        data="nothing",
        record=build.record(name),
        inputs=(toy / "notebooks" / f"{name}.ipynb",),
    )
