"""One file per question of the book: predictions and labels go in, rows of results come out.

Predictions are as `riqa.predictions` reads them, of one or more datasets and models; rows are those of
`riqa.results`. Values are means over seeds, and a difference is the first model of a pair minus the second.
`**bootstrap` is the number of draws of patients and seeds, `n_resamples`, and the coverage of intervals,
`confidence`, where not given those of the function of `riqa.evaluate` that draws.
"""
