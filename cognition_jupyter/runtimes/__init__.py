"""What starts containers: docker, bubblewrap, and process (no isolation)."""
