"""The page on one grade and its measurements."""
