"""The template repository for GitHub Classroom: what students get, and a workflow that grades each push."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from grader.release.student import Content, checkout, student_files, write_files

WORKFLOW_FILE: Final = ".github/workflows/classroom.yml"

WORKFLOW: Final = """\
# Grades each push, and tells GitHub Classroom the points.
# The repository is the student's, and so is this file: the points are for them to see. Grades come from `lab batch` on clones.
name: Autograding Tests
on: [push, workflow_dispatch]
permissions:
  checks: write
  actions: read
  contents: read
jobs:
  run-autograding-tests:
    runs-on: ubuntu-latest
    if: github.actor != 'github-classroom[bot]'
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.12"
      - name: Set up
        run: |
          sudo apt-get update -q
          sudo apt-get install -y -q --no-install-recommends bubblewrap libseccomp2
          scripts/setup.sh student
      - name: Grade
        id: lab
        run: .venv/bin/lab grade assignment --classroom "$GITHUB_OUTPUT"
      - uses: classroom-resources/autograding-grading-reporter@v1
        env:
          LAB_RESULTS: ${{ steps.lab.outputs.result }}
        with:
          runners: lab
"""


def write_classroom(target: Path) -> int:
    """Writes the template repository.

    Args:
        target: A new or empty folder; make it a repository and give it to GitHub as a template.

    Returns:
        How many files were written.

    Raises:
        LabError: This is no checkout, or the folder cannot be written.
    """
    files = student_files(checkout()) | {WORKFLOW_FILE: Content(WORKFLOW.encode())}
    write_files(files, target)
    return len(files)
