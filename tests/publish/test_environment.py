import yaml

from riqa.publish.environment import NAME, environment, main
from tests.publish.toy import REPOSITORY


def test_the_file_is_what_pyproject_says():
    assert (REPOSITORY / NAME).read_text() == environment(REPOSITORY)


def test_conda_can_read_it():
    content = yaml.safe_load(environment(REPOSITORY))
    assert content["dependencies"][0] == "python=3.11"
    assert content["dependencies"][-1] == {"pip": ["-r requirements.lock", "-e ."]}


def test_check_tells_an_outdated_file(toy, monkeypatch, capsys):
    (toy / "pyproject.toml").write_text('[project]\nname = "toy"\nrequires-python = ">=3.12"\n')
    monkeypatch.chdir(toy)
    assert main(["--check"]) == 1
    assert "make lock" in capsys.readouterr().err
    assert main([]) == 0
    assert main(["--check"]) == 0
    assert "python=3.12" in (toy / NAME).read_text()
