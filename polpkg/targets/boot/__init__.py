"""Boot paths: how a hypervisor is started, and therefore where its policy has to be and what it is called there.

`naming` has the rules for names, `path` what a boot path is, `placing` chooses one for each hypervisor file.
"""
