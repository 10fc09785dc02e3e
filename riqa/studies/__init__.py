"""One file per question of the book: predictions and labels go in, rows of results come out."""
