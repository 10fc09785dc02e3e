"""The phantom: procedural fundus photographs with known defects, and experts who rate them.

In the order of a photograph's life: `eye`, `fundus`, `degrade`, `raters`, `trouble`, `photograph`, `study`
(the sets), `repair`.
"""
