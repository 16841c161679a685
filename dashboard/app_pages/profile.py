"""A student's own submission: profile."""

from dashboard import show, views
from dashboard.session import subject

shown = subject()
show.problems(shown.problems)
views.profile_page(shown)
