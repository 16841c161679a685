"""Migrations of the store, run by `grader.store.database` when a database is opened."""
