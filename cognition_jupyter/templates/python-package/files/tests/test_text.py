"""An example of tests: replace it together with the module."""

import pytest
from my_package import slug


@pytest.mark.parametrize(
    ("title", "expected"),
    [("Hello, World!", "hello-world"), ("Crème brûlée", "creme-brulee"), ("  2 x 2 ", "2-x-2")],
)
def test_what_is_left_of_a_title(title: str, expected: str) -> None:
    assert slug(title) == expected


def test_a_title_needs_letters_or_digits() -> None:
    with pytest.raises(ValueError, match="address"):
        slug("?!")
