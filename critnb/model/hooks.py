"""What a module is called with and what it returns: noted, or put in its place, inside a context."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def entering(module: nn.Module, on_args: Callable[[tuple[Tensor, ...]], Any]) -> Iterator[None]:
    """Call ``on_args`` with what a module is called with, inside the context; arguments that it returns take their place."""
    handle = module.register_forward_pre_hook(lambda _module, args: on_args(args))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def leaving(module: nn.Module, on_output: Callable[[Any], object]) -> Iterator[None]:
    """Call ``on_output`` with what a module returns, as the hooks before it left that, inside the context."""

    def note(_module: nn.Module, _args: Any, output: Any) -> None:
        on_output(output)

    handle = module.register_forward_hook(note)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def noting(module: nn.Module, keep: Callable[[Any], Any] = lambda output: output) -> Iterator[list[Any]]:
    """Yield ``keep`` of what a module itself returns inside the context, before any hook changes it."""
    found: list[Any] = []
    forward = module.forward

    def noted(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        found.append(keep(output))
        return output

    with _forward_of(module, noted):
        yield found


def answering(module: nn.Module, answer: Callable[[], Any]) -> AbstractContextManager[None]:
    """Let a module return ``answer()`` whatever it is called with; its hooks stay, and so the gain that is applied to it."""
    return _forward_of(module, lambda *_args, **_kwargs: answer())


@contextmanager
def _forward_of(module: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    own = module.__dict__.get("forward")
    module.__dict__["forward"] = forward
    try:
        yield
    finally:
        if own is None:
            del module.__dict__["forward"]
        else:
            module.__dict__["forward"] = own


def copied(output: Any) -> Any:
    """Return an output with its own first tensor, which some blocks add to in place."""
    if isinstance(output, tuple | list):
        return type(output)((output[0].clone(), *output[1:]))
    return output.clone()
