SUMMARY = "What the policy of this site is made of: policy.toml, policy.lock and the archives that it names"
LICENSE = "CLOSED"

SRC_URI = "file://policy.toml file://policy.lock file://vendor"

inherit allarch

do_install() {
    install -d ${D}${sysconfdir}/polpkg ${D}${datadir}/polpkg/vendor
    from=${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}
    install -m 0644 $from/policy.toml $from/policy.lock ${D}${sysconfdir}/polpkg/
    install -m 0644 $from/vendor/*.polpkg ${D}${datadir}/polpkg/vendor/
}

FILES:${PN} = "${sysconfdir}/polpkg ${datadir}/polpkg"
RCONFLICTS:${PN} = "xen-flask xen-tools-flask"
