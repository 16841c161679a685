"""The one result, shown: terminal and HTML."""
