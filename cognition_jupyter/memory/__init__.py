"""The directories in RAM behind `/memories/hot` and `/tmp`."""
