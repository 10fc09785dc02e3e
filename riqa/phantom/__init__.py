"""The phantom: procedural fundus photographs with known defects, and experts who rate them.

In the order of a photograph's life: `eye`, `fundus` (camera and clean photograph), `degrade` (defects with
severity and mask, for any RGB image), `raters` (experts and graders), `trouble` (how often defects occur),
`photograph` (one image from its numbers), `study` (the sets), `repair` (what if a defect had not been there).
"""
