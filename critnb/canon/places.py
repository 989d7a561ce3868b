"""Where the pack's own files lie: in a clone, in an unpacked release, and beside an installed package."""

from __future__ import annotations

from pathlib import Path

# the folder of the package: the pack's root in a clone and in an unpacked release, site-packages of an installation
CODE_ROOT = Path(__file__).resolve().parents[2]
_REGISTRY = Path("spec") / "00_CANONICAL.yaml"
IS_INSTALLED = not (CODE_ROOT / _REGISTRY).is_file()
# the folder in which a wheel carries the pack's files that are no code
CARRIED = "_pack"
PACK_ROOT = CODE_ROOT / "critnb" / CARRIED if IS_INSTALLED else CODE_ROOT
SPEC_DIR = PACK_ROOT / "spec"
REGISTRY_FILE = PACK_ROOT / _REGISTRY
DOCS_DIR = PACK_ROOT / "docs"


def _working_folder(here: Path) -> Path:
    """Return the folder that a command or a kernel started ``here`` works in: ``here``, or what its notebooks/ lies in."""
    is_beside_params = here.name == "notebooks" and (here.parent / "params").is_dir()
    return here.parent if is_beside_params else here


# where params files are looked for first and runs/ lies: the pack itself, or a user's folder where the pack is installed
WORK_DIR = _working_folder(Path.cwd()) if IS_INSTALLED else PACK_ROOT


def pack_path(name: str, root: Path = PACK_ROOT) -> Path:
    """Return where a file or folder of the pack at ``root`` lies; ``name`` is POSIX and relative to the pack's root."""
    is_code = name.partition("/")[0] == "critnb"
    return (CODE_ROOT if root == PACK_ROOT and is_code else root) / name
