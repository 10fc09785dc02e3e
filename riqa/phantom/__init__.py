"""The phantom: procedural fundus photographs with known defects, and experts who rate them.

Read it in the order of a photograph's life: `cameras` (framing), `vessels` and `anatomy` (the eye and its
clean photograph), `degrade` and `artifacts` (defects with severity and mask; for any RGB image),
`trouble` (how often defects occur), `raters` (experts and graders), `photograph` (one image from its
numbers), `study` (the four sets), `simulate` (real good photographs, spoilt), `cases` (any image again,
with its masks).

Everything follows from a seed; nothing depends on the number of processes.
"""
