"""Wing 2: from policy source to a policydb.  Knows nothing of packages, versions or targets."""
