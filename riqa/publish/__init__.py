"""From source notebooks to a rendered book: running chapters, staging pages, building HTML."""
