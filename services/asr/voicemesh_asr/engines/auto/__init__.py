"""The recogniser that suits the languages which are spoken."""
