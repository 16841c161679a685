"""A student's own submission: timing."""

from dashboard import show, views
from dashboard.session import subject

shown = subject()
show.problems(shown.problems)
views.timing_page(shown)
