"""A running machine as a target: its files, as any target has them, and its programs.

`commands` is the seam through which programs of a host are run, whether the host is this machine or at the other end
of ssh.  Import the modules: this package exports nothing, so that a command pays only for what it uses.
"""
