"""docs/API.md describes every public name and every result; that it is up to date, tests/test_words.py sees."""

from __future__ import annotations

import inspect

import api_reference as reference
from api_reference import _described, reference_markdown

import critnb


def test_every_public_name_and_every_returned_class_is_described():
    assert sorted(name for names in reference._CHAPTERS.values() for name in names) == sorted(critnb.__all__)
    returned = {str(inspect.signature(getattr(critnb, name)).return_annotation) for name in critnb.__all__}
    described = {name for _, name in reference._RESULTS}
    assert returned - described <= {
        "pd.DataFrame",
        "LanguageModel",
        "StageSession",
        "None",
        str(inspect.Signature.empty),
    }


def test_a_function_is_told_with_signature_text_and_errors():
    def scale(x: npt.ArrayLike, *, by: float = 2.0, name: str = critnb.__name__) -> np.float64:  # type: ignore # noqa: F821
        """Scale ``x``.

        x: numbers.

        Raises:
            DataError: not numbers,
                but words.
            ParamsError: by is zero.
        """

    assert _described("critnb.scale", scale).splitlines() == [
        "### critnb.scale",
        "",
        "```text",
        "critnb.scale(x: ArrayLike, *, by: float = 2.0, name: str = 'critnb') -> float64",
        "```",
        "",
        "Scale `x`.",
        "",
        "x: numbers.",
        "",
        "Raises:",
        "",
        "* `DataError`: not numbers, but words.",
        "* `ParamsError`: by is zero.",
    ]


def test_members_that_are_private_or_not_ours_are_left_out():
    text = reference_markdown()
    assert "* `gates()`: Return the run's gates" in text
    assert "`_" not in text
    assert "astype" not in text
