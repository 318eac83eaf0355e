"""What happens to synthesised samples on their way to the stream."""
