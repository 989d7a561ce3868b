"""Executed notebooks as a run keeps them: ``clean`` takes out what machine and moment added, then ``to_ipynb`` and
``to_html`` give the bytes of the two files; ``of_run`` is what the page says of its run first.
"""

from critnb.report.notebook.about import About, of_run
from critnb.report.notebook.cleaning import clean, to_ipynb
from critnb.report.notebook.page import to_html

__all__ = ["About", "clean", "of_run", "to_html", "to_ipynb"]
