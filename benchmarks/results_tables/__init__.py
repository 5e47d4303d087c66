"""What the pages tell of the results, generated from the JSON files: ``python -m benchmarks.results_tables``.

Here: tables and figures as Markdown, and where they stand in the pages. Not here: anything that measures.
"""
