"""A hypervisor in a box: Xen under QEMU's emulation, with a Linux of Debian's packages as dom0 and as its guests.

Goes in: a hypervisor file, a policy, and the packages that there are on this machine or in a folder.  Comes out: a
`Box`, in which commands can be run as dom0, and the `Transcript` of all that Xen wrote.  Nothing of the machine
outside is touched, and nothing needs root.

`pieces` finds what a system is made of, `kernel` and `cpio` bring it into form, `system` puts it together, `box` runs
it, `transcript` reads what Xen says.
"""
