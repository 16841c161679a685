# Needs git, make and python3 (3.11 to 3.13) with venv. Every target may be run again; what is done is skipped.

BIN := .venv/bin
DATA := data/small

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-gpu data demo test validate attacks lint format picture screenshots benchmarks constraints

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv and install what a student needs
	@scripts/setup.sh student

setup-dev: ## Also what tests, linters and the dashboard need
	@scripts/setup.sh dev

setup-gpu: ## What a student needs, with TensorFlow for NVIDIA GPUs (Linux)
	@scripts/setup.sh gpu

data: setup ## Draw the small data set into data/small
	@test -f $(DATA)/wnids.txt || $(BIN)/lab data make

demo: data ## Measure and grade the reference, a partly wrong sample, and a class
	@scripts/setup.sh instructor
	$(BIN)/python -m grader.demo

test: setup-dev ## Run all tests
	$(BIN)/python -m pytest -n auto --maxprocesses 5 --dist worksteal

lint: setup-dev ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup-dev ## Format the sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

picture: setup-dev ## Draw the pictures of the documentation
	$(BIN)/python scripts/draw_report_picture.py

screenshots: setup-dev ## Draw every page of the dashboard into build/screenshots (needs Chromium)
	$(BIN)/python scripts/draw_screenshots.py

benchmarks: setup-dev ## Tell how the figures in benchmarks/ are measured
	@echo "The benchmarks are not tests: they take minutes to hours, and want a machine that does nothing else."
	@echo "Each says with --help what it measures. Found:"
	@find benchmarks -name '*.py' ! -name '_*' | sort | sed 's|^|  $(BIN)/python |'

constraints: setup-dev ## Show the versions of this environment, for constraints.txt
	@$(BIN)/python -m pip freeze --exclude-editable

validate: setup-dev ## Measure how often the grader is wrong (about an hour)
	$(BIN)/lab validate

attacks: setup-dev ## Try every class of cheat in every tier, as this user and as an unprivileged one
	$(BIN)/python -m tests.attacks
