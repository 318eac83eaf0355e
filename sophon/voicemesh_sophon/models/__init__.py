"""The vendor's model files, and how they are fetched."""
