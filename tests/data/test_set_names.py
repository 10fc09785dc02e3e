import pytest

from riqa.data.set_names import NAMES, name_trouble

ODD = ["", " ", "my clinic", "klinik-nord", "dr.x", "köln", "眼科", "a/b", "a\\b", "..", ".hidden", "a@b"]
ODD += ["2025", "_a", "x" * 41, "clinic\n", "a'b", 'a"b', "$a", "{set}", "a:b", "-s0"]
USED = [*(set(NAMES) - {"table"}), "EyeQ", "eyeq_test", "my_phantoms", "x_by_eye", "f1", "any"]


def test_names_are_letters_digits_and_underscores_that_the_book_does_not_use():
    for name in ("clinic", "Clinic_2025", "a", "table", "x" * 40, "north", "eyeq2"):
        assert name_trouble(name) is None
    for name in USED:
        assert "the book uses it itself" in name_trouble(name)
    for name in (2025, None, True, ["clinic"], 1.5):
        assert "a set's name is text" in name_trouble(name)


@pytest.mark.parametrize("name", ODD)
def test_other_characters_are_refused_with_the_legal_ones(name):
    trouble = name_trouble(name)
    assert repr(name) in trouble  # a line end in it is written out
    assert "legal: a letter, then at most 39 letters, digits and underscores" in trouble
    assert "\n" not in trouble
