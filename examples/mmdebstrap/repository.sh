#!/bin/sh
# Make an apt repository of one package from a hypervisor with FLASK: Debian's own Xen has none.
#   repository.sh XEN DIRECTORY        XEN: its xen.gz
set -eu
polpkg probe "$1" >/dev/null # which says so when it has no FLASK
version=$(polpkg probe "$1" --json | sed -n 's/^ *"version": "\(.*\)",*$/\1/p' | head -n 1)
package="xen-flask_$version.deb"
rm -rf "$2"
mkdir -p "$2/files/DEBIAN" "$2/files/boot"
cat >"$2/files/DEBIAN/control" <<END
Package: xen-flask
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: nobody <nobody@localhost>
Description: Xen $version with FLASK
END
install -m 644 "$1" "$2/files/boot/xen-$version.gz"
dpkg-deb --root-owner-group --build "$2/files" "$2/$package" >/dev/null
{
    cat "$2/files/DEBIAN/control"
    echo "Filename: ./$package"
    echo "Size: $(stat -c %s "$2/$package")"
    echo "SHA256: $(sha256sum "$2/$package" | cut -d ' ' -f 1)"
} >"$2/Packages"
rm -r "$2/files"
