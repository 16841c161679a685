"""What is graded, section by section."""
