import pytest

from riqa.publish.layout import PLACES, Build
from riqa.publish.run import ChapterRun
from tests.publish.toy import make_repository


@pytest.fixture
def toy(tmp_path):
    """A toy repository of its own."""
    return make_repository(tmp_path / "toy")


@pytest.fixture
def run(toy, monkeypatch):
    """A run of the first toy chapter; the repository is the current folder."""
    monkeypatch.chdir(toy)
    build, name = Build(toy, "toy"), "01_make_data"
    places = {place: getattr(build, place)(name) for place in PLACES}
    given = {"n": 4, "out": str(places["out"])}
    return ChapterRun(**places, parameters=given, profile="toy", inputs=(places["notebook"],), workers=2)
