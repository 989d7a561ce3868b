"""What of the paper is slow and always comes out the same, kept as long as a process lives: compiled templates, packed pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from types import CodeType

import jinja2
import pytest

from critnb.paper import html, templates


class _Compiled(jinja2.BytecodeCache):
    """Templates by file and content."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        self._code[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()
_ENVIRONMENT, _WEBP = templates.SandboxedEnvironment, html.webp
_webp = cache(_WEBP)


@contextmanager
def steps_of_the_paper() -> Iterator[None]:
    """Do them once each inside the context, whatever asks for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(templates, "SandboxedEnvironment", partial(_ENVIRONMENT, bytecode_cache=_COMPILED))
        patch.setattr(html, "webp", _webp)
        yield


@contextmanager
def nothing() -> Iterator[None]:
    """Do them anew inside the context."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(templates, "SandboxedEnvironment", _ENVIRONMENT)
        patch.setattr(html, "webp", _WEBP)
        yield
