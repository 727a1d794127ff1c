"""From what is asked for to one version of every package needed: see `resolve`."""
