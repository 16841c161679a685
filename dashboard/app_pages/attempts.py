"""A student's own submission: attempts."""

from dashboard import show, views
from dashboard.session import subject

shown = subject()
show.problems(shown.problems)
views.attempts_page(shown)
