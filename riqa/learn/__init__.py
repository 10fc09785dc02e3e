"""Training: the network, its losses and augmentation, one loop, and what a trained model says of images."""
