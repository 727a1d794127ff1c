"""The hooks, and the manager that loads who implements them.

`hookspecs` says what a plugin can add, `values` what it answers with, `builtin` what polpkg itself answers;
`entry_points` finds plugins and `manager` loads them.  Nothing outside this package imports pluggy.
"""
