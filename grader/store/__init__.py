"""The store: every grading of a class in one database, SQLite or PostgreSQL."""
