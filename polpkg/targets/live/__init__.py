"""Changing the policy of a running Xen: looked at first, tried with a way back, and only then the one that boots.

    running     what runs there: Xen, FLASK, domains with their labels, booleans
    preflight   whether a policy can be loaded now, or waits for the next boot, or must not come at all
    guard       the script on the host that brings the old policy back when nobody stops it
    trial       loading a policy, looking at what became of it, and taking it back
    record      what polpkg remembers about all that, on the host

Import the modules: this package exports nothing, so that a command pays only for what it uses.
"""
