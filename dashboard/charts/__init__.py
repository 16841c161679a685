"""Pure functions: a frame in, a `Figure` out. Nothing here knows Streamlit, a database or a file."""
