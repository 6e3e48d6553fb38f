"""Memory: routes and their backends, the directories in RAM, snapshots."""
