"""Training: the network, its losses and augmentation, one loop, and a trained model's predictions."""

import os

# Large arrays in pages of 2 MB, where Linux grants them: in half of the time that the system takes otherwise
# while a network's arrays come and go. torch reads this when it makes its first array, so it is set before.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
