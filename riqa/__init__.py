"""riqa: reproducible retinal image quality assessment.

A thin library behind a book that runs. Its rooms follow the data: `riqa.data` and `riqa.phantom` supply
photographs, `riqa.learn` trains on them, `riqa.evaluate` measures, `riqa.studies` asks the book's questions
and answers with rows of `riqa.results`, `riqa.show` and `riqa.plots` lay those out, `riqa.publish` makes the
pages, `riqa.assess` asks a trained model. Importing it does nothing else.
"""

__version__ = "0.1.0"
