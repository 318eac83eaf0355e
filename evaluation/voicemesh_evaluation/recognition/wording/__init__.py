"""What counts as the same words: texts in a common form, and the distance between two of them."""
