"""From artifacts to what people read: tables under their schemas, figures in one style, notebooks and their HTML.

``tables`` and ``schema`` hold the results tables, ``figures`` and ``style`` the figures, ``display`` and ``gates`` what
notebooks show, ``notebook`` and ``page`` the executed notebook and its HTML. Nothing here computes a statistic.
"""

from critnb.report.gates import Gate, Verdict
from critnb.report.notebook import clean, to_ipynb
from critnb.report.page import to_html
from critnb.report.provenance import Provenance
from critnb.report.style import Drawing, Rendered, Scope, save_figure
from critnb.report.tables import load_table, t01, write_table

__all__ = [
    "Drawing",
    "Gate",
    "Provenance",
    "Rendered",
    "Scope",
    "Verdict",
    "clean",
    "load_table",
    "save_figure",
    "t01",
    "to_html",
    "to_ipynb",
    "write_table",
]
