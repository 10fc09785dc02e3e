import pytest

from tests.publish.toy import make_repository


@pytest.fixture
def toy(tmp_path):
    """A toy repository of its own."""
    return make_repository(tmp_path / "toy")
