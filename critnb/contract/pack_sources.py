"""The source files of a pack, each looked for and read once: what is asked of them is answered from one moment's state."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from critnb.canon import PACK_ROOT, pack_path
from critnb.contract.imports import PACKAGE, Code, read_code

INIT = "__init__.py"


@dataclass
class PackSources:
    """The sources of the pack at ``root``. Make a new one to see what has changed since."""

    root: Path = PACK_ROOT
    _files: dict[str, Path | None] = field(default_factory=dict)
    _codes: dict[Path, Code] = field(default_factory=dict)

    def file(self, module: str) -> Path | None:
        """Return the file of a module by its dotted name, None where the pack has none."""
        if module not in self._files:
            base = pack_path(module.replace(".", "/"), self.root)
            both = (base / INIT, base.with_name(f"{base.name}.py"))
            self._files[module] = next((path for path in both if path.is_file()), None)
        return self._files[module]

    def code(self, path: Path) -> Code:
        """Return what a file says; raises OSError where it cannot be read."""
        if path not in self._codes:
            package = ".".join(path.relative_to(self._top).parent.parts)
            self._codes[path] = read_code(path.read_bytes(), package)
        return self._codes[path]

    def name(self, path: Path) -> str:
        """Return the POSIX path of a file in the pack."""
        return path.relative_to(self._top).as_posix()

    @property
    def _top(self) -> Path:
        return pack_path(PACKAGE, self.root).parent
