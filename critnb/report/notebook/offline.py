"""The page that runs keep, as an exporter of nbconvert: ``jupyter nbconvert --to critnb some.ipynb``, and in JupyterLab's menu.

It is one file without scripts, which asks no network; nbconvert's own ``html`` loads require.js and MathJax from the web.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nbconvert import HTMLExporter

from critnb.report.notebook.cleaning import clean
from critnb.report.notebook.page import to_html


class OfflinePage(HTMLExporter):  # type: ignore[misc]
    """A notebook as one HTML file that reads offline."""

    export_from_notebook = "critnb (HTML without network)"

    def from_notebook_node(self, nb: Any, resources: Any = None, **_: Any) -> tuple[str, Any]:
        """Return the page of a notebook, and what nbconvert is to know of the file."""
        found = self._init_resources(resources)
        found["output_extension"] = ".html"
        return to_html(clean(nb, roots=[Path.cwd()])).decode("utf-8"), found
