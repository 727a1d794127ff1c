"""Wing 1: packages, indexes, resolution, locks and the store.  Knows nothing of policy source."""
