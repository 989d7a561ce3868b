"""The page of a runs folder, for reviewers: the chain of stages as a picture, and what each run says of itself.

``write_index`` writes it, ``render`` gives its bytes for chosen runs. It is made from records alone.
"""

from critnb.review.index.facts import RunFacts, RunStatus, facts_of
from critnb.review.index.files import size
from critnb.review.index.page import render
from critnb.review.index.write import refresh_index, write_index

__all__ = ["RunFacts", "RunStatus", "facts_of", "refresh_index", "render", "size", "write_index"]
