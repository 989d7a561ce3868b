"""What code says, as a digest: of its syntax tree alone, the same on every Python."""

from __future__ import annotations

import ast
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from critnb.runs.meaning import cell_digest, code_digest, syntax_tree

CODE = '''
"""About this."""
@decorated(3)
class Kept(Base, key=None):
    x: int = 0x10
    """What x is."""

    def f(self, a, /, b=1.5, *, c=None, **more):
        "Say it."
        return f"{a!r:>{b}} is {c}" 'and' + u"so" if a < b <= -2 else [*more, ...]
'''
SAME = """
@decorated( 3 )  # why
class Kept(Base, key = None):

    x : int = 16

    def f(self, a, /, b = 1.50, *, c = None, ** more):
        return (f"{a!r:>{b}} is {c}" "and" + "so"
                if a < b <= -2 else [*more, ...,])
"""
# by hand, from the definition: a node is its class with its fields, in the order of Python's grammar
WRITTEN = (
    "(Module body=[(ClassDef name='Kept' bases=[(Name id='Base')] keywords=[(keyword arg='key' value=(ConstantNone))] body=["
    "(AnnAssign target=(Name id='x') annotation=(Name id='int') value=(Constant0x10) simple=0x1)"
    "(FunctionDef name='f' args=(arguments posonlyargs=[(arg arg='self')(arg arg='a')] args=[(arg arg='b')] "
    "kwonlyargs=[(arg arg='c')] kw_defaults=[(ConstantNone)] kwarg=(arg arg='more') defaults=[(Constant1.5)]) body=["
    "(Return value=(IfExp test=(Compare left=(Name id='a') ops=[(Lt)(LtE)] comparators=[(Name id='b')(UnaryOp op=(USub) "
    "operand=(Constant0x2))]) body=(BinOp left=(JoinedStr values=[(FormattedValue value=(Name id='a') conversion=0x72 "
    "format_spec=(JoinedStr values=[(Constant'>')(FormattedValue value=(Name id='b') conversion=-0x1)]))(Constant' is ')"
    "(FormattedValue value=(Name id='c') conversion=-0x1)(Constant'and')]) op=(Add) right=(Constant'so')) "
    "orelse=(List elts=[(Starred value=(Name id='more'))(ConstantEllipsis)])))])] "
    "decorator_list=[(Call func=(Name id='decorated') args=[(Constant0x3)])])])"
)


def digest(code: str) -> str:
    return code_digest(code.encode(), syntax_tree(code.encode()))


def test_the_digest_is_that_of_the_tree_as_text():
    assert digest(CODE) == digest(SAME) == hashlib.sha256(WRITTEN.encode()).hexdigest()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 'a'", "x = b'a'"),
        ("x = 1", "x = -1"),
        ("x = 0.0", "x = 0j"),
        ("f(a, b)", "f(b, a)"),
        ("f(a=1)", "f(b=1)"),
        ("x: int", "(x): int"),
        ("x = {**a, 'b': 1}", "x = {None: a, 'b': 1}"),
        ("def f(*, a, b=1): ...", "def f(*, a=1, b): ..."),
        ("def f(a, /): ...", "def f(a): ..."),
        ("from . import a", "from .. import a"),
        ("if a:\n    pass\nelse:\n    b", "if a:\n    b"),
        ("a\nb", "b\na"),
        ("a if b else c", "c if b else a"),
        ("f'{a}'", "f'{a!r}'"),
        ("f'{a:.2f}'", "f'{a:.3f}'"),
        ("async def f(): await g()", "def f(): g()"),
        ("'é'", "'e'"),
        ("x = 'é'", "x = 'e'"),
    ],
)
def test_another_meaning_is_another_digest(one, other):
    assert (digest(one) == digest(other)) == (one == "'é'")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1_000", "x = 1000"),
        ("x = 'a' 'b'", 'x = "ab"'),
        ("x = 'caf\\xe9'", "x = 'café'"),
        ("f'a' f'b{c}' 'd'", "f'ab{c}d'"),
        ("f'{c:}'", "f'{c}'"),
        ("def f():\n    pass", 'def f():\n    """What it does."""'),
        ("x = '''a\r\nb'''\r\n", "x = '''a\nb'''\n"),
        ("from a import (\n    b,\n)", "from a import b"),
    ],
)
def test_another_spelling_is_the_same(one, other):
    assert digest(one) == digest(other)


def test_code_that_reads_docstrings_keeps_them():
    reads = "def f():\n    '''{}'''\nprint(f.__doc__)"
    assert digest(reads.format("one")) != digest(reads.format("two"))
    assert digest("def f():\n    '''one'''  # __doc__") == digest("def f():\n    '''two'''")


def test_what_is_no_python_counts_by_its_text_with_lf():
    assert digest("def (") != digest("def ((")
    assert digest("def (\r\n") == digest("def (\n")


@given(st.text(max_size=40))
def test_any_text_has_a_digest(text):
    code = text.encode("utf-8", "surrogatepass")
    assert len(code_digest(code, syntax_tree(code))) == len(cell_digest(text)) == 64


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.binary())
def test_a_literal_is_what_it_stands_for(value):
    assert digest(f"x = {value!r}") == digest(ast.unparse(ast.parse(f"x = ({value!r})")))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a.b( 1 )  # why", "a.b(1)", True),
        ("def f():\n    'said'", "def f(): pass", True),
        # the last expression of a cell is shown
        ("a", "a;", False),
        ("a;  # hushed", "a;", True),
        ("'a'", "'b'", False),
        ("a\nb", "a; b", True),
        ("%matplotlib inline\na", "%matplotlib  inline\na", False),
        ("%matplotlib inline\r\na", "%matplotlib inline\na", True),
        ("", "# only words", True),
    ],
)
def test_what_a_cell_says(one, other, same):
    assert (cell_digest(one) == cell_digest(other)) is same


def test_deep_nesting_is_no_crash():
    for deep in ("a" + ".b" * 2000, "(" * 5000 + ")" * 5000, "-" * 20000 + "1"):
        assert len(cell_digest(deep)) == 64
