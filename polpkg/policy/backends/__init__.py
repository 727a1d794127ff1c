"""From a linked policy to policydb bytes, by our own compiler or by somebody else's.

`builtin`, `checkpolicy` and `secilc` are the backends behind the one protocol in `backend`; `conf` and `cil` write the
sources that the tools read, and `equivalence` explains where two compiled policies differ.
"""
