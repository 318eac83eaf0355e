"""The scripted engine: answers from a knowledge file, a clock and a calculator."""
