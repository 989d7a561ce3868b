"""A page shown to whoever sits before the machine."""

from __future__ import annotations

import contextlib
import os
import sys
import webbrowser
from pathlib import Path

_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")
_REMOTE = ("SSH_CONNECTION", "SSH_TTY")


def has_desktop() -> bool:
    """Tell whether a browser would open in front of somebody: not on a node, in a container or over a plain connection."""
    if sys.platform in ("darwin", "win32"):
        return not any(map(os.environ.get, _REMOTE))
    return any(map(os.environ.get, _SCREENS))


def show(page: Path) -> bool:
    """Open a page in the user's browser, where there is a desktop; tells whether that was asked of one."""
    if not has_desktop():
        return False
    with contextlib.suppress(webbrowser.Error):
        return webbrowser.open(page.as_uri())
    return False
