# Gives an image the policy that the package polpkg-site locks: `inherit polpkg` in the image's recipe.
#
# polpkg is a tool of the build machine; say so in conf/local.conf:   HOSTTOOLS += "polpkg"
# Tasks have no network, and polpkg needs none: the archives come with polpkg-site.

# Which Xen, for an image without its file in /boot, such as "${DEPLOY_DIR_IMAGE}/xen-${MACHINE}".
POLPKG_XEN ?= ""

IMAGE_INSTALL:append = " polpkg-site"

# The policy that comes with Xen goes by names that polpkg's has, and is compiled from Xen's example.
PACKAGE_EXCLUDE:append = " xen-flask xen-tools-flask"

ROOTFS_POSTPROCESS_COMMAND:append = " polpkg_rootfs;"

polpkg_rootfs() {
    vendor="${IMAGE_ROOTFS}${datadir}/polpkg/vendor"
    xen="${POLPKG_XEN}"
    POLPKG_CACHE="${WORKDIR}/polpkg-cache" polpkg sync --locked --offline --yes --index "vendor=$vendor" \
        --root "${IMAGE_ROOTFS}" ${@'--xen "$xen"' if d.getVar('POLPKG_XEN') else ''}
}
