"""`lab similar`: which submissions of a class have more code in common than chance and the stubs explain."""

from grader.similar.compare import Pair, compare
from grader.similar.page import render_pairs
from grader.similar.texts import Text, read_chosen, read_stubs, read_texts

__all__ = ["Pair", "Text", "compare", "read_chosen", "read_stubs", "read_texts", "render_pairs"]
