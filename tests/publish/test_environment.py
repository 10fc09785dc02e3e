import tomllib

import yaml

from tests.publish.toy import REPOSITORY


def test_conda_brings_the_python_of_pyproject_and_pip_what_is_pinned():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    content = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    assert content["name"] == project["name"]
    assert f">={content['dependencies'][0].removeprefix('python=')}" == project["requires-python"]
    assert content["dependencies"][-1] == {"pip": ["-r requirements.lock", "-e ."]}
