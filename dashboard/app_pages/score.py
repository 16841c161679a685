"""A student's own submission: score."""

from dashboard import show, views
from dashboard.session import subject

shown = subject()
show.problems(shown.problems)
views.score_page(shown)
