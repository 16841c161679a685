"""A student's own submission: training."""

from dashboard import show, views
from dashboard.session import subject

shown = subject()
show.problems(shown.problems)
views.training_page(shown)
