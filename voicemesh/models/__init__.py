"""Models as a part of the product: which there are, where they lie, how they come here."""
