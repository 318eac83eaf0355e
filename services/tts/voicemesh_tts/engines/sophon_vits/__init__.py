"""The voice of the Sophgo demos, VITS with BERT prosody, on a Sophgo TPU."""
