"""Assessment of a user's own photographs by a trained model (paper, Figures 1 and 5)."""
