"""A photograph of one's own, assessed: what a technician asks a trained model (paper, Figures 1 and 5)."""
