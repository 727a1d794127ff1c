"""Wing 3: what a target has, what it is to have, and the change from one to the other.

In goes a `WantedState` (packages, functions, one compiled policy for each ABI, and where each is booted from), out
comes a `Plan`, and applying it makes a `Generation`.  `target` is the one seam through which the files of a target are
touched, `tree` is that seam for a directory tree; `probe` finds hypervisors, `boot` knows what each boot path calls a
policy file, `plan` compares, `apply` and `recovery` carry out, `verify` looks for drift.

Nothing here links or compiles a policy, and nothing is printed.  Import the modules: this package exports nothing, so
that a command pays only for what it uses.
"""
