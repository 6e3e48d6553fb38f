"""Generations of hot memory on disk: taken, kept, compared, restored."""
