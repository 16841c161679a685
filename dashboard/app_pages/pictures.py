"""A student's own submission: pictures."""

from dashboard import show, views
from dashboard.session import subject

shown = subject()
show.problems(shown.problems)
views.pictures_page(shown)
