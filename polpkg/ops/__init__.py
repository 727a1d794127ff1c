"""One file per use case.  `context` is the only place that builds collaborators."""
