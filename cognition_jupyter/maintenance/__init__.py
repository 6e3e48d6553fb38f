"""What runs by the clock: reconcile, snapshots."""
