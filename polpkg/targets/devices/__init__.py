"""The PCI devices of a machine: what there is, who could drive it, and how it is labelled.

In comes what Linux says of a machine (sysfs, or `lspci`); out come values, proposals, object contexts and the unit that
labels devices at run time.  Nothing here changes a machine.
"""
