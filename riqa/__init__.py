"""riqa: reproducible retinal image quality assessment.

A thin library behind a book that runs. Its rooms follow the data: `riqa.data` and `riqa.phantom` supply
photographs, `riqa.learn` trains on them, `riqa.evaluate` measures, `riqa.report` draws, `riqa.publish` makes
the pages. Importing it does nothing else.
"""

__version__ = "0.1.0"
