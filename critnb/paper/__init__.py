"""The paper: templates filled from evidence, every number in them traced to its cell, written as Markdown, HTML and PDF.

``check`` holds the templates and the bibliography against each other before anything is computed; ``compose`` fills and
sets them. What a template may print is a cell of a table, a field of a record (parameters and constants among them), or
words: a number from elsewhere is an error.
"""

from critnb.paper.checks import check
from critnb.paper.compose import Paper, compose
from critnb.paper.facts import PaperFacts

__all__ = ["Paper", "PaperFacts", "check", "compose"]
