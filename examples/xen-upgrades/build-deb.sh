#!/bin/sh
# build-deb.sh OUT: the Debian package, in the folder OUT.  Needs dpkg-deb.
set -e
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
mkdir -p "$tree/DEBIAN" "$tree/usr/lib/polpkg"
install -m 0644 "$here/debian/control" "$here/debian/triggers" "$tree/DEBIAN"
install -m 0755 "$here/debian/postinst" "$tree/DEBIAN"
install -m 0755 "$here/refit-hook" "$tree/usr/lib/polpkg"
mkdir -p "$1"
dpkg-deb --root-owner-group --build "$tree" "$1/polpkg-xen-upgrades.deb" > /dev/null
echo "$1/polpkg-xen-upgrades.deb"
