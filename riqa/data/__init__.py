"""From photographs on disk to a curated image store: manifest, field of view, store, dataset adapters."""
