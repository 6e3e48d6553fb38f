"""Projects on disk: names, metadata, index, locks, git clone."""
