"""Questions to a policy: which rules there are, what allows an access, and where each rule comes from.

All of it works on a `PolicyView`: a linked policy that was just made, one that was read back from a generation with its
link map, or any policydb file, which then has no origins.
"""
