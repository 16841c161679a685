"""The dashboard: what was measured and graded, as pages in a browser and as one HTML file.

It only reads, but for adjustments and releases that an instructor makes. Nothing is graded or measured here.
"""
