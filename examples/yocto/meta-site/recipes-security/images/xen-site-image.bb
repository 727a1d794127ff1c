SUMMARY = "A dom0 with the policy of this site"
LICENSE = "MIT"

inherit core-image polpkg

# meta-virtualization has Xen:  IMAGE_INSTALL:append = " xen-hypervisor xen-tools"
