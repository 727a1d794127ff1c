#!/bin/sh
# build-rpm.sh OUT [OPTIONS OF rpmbuild]: the RPM package, in the folder OUT.  Needs rpmbuild.
set -e
here=$(cd "$(dirname "$0")" && pwd)
out=$1
shift
mkdir -p "$out"
rpmbuild --quiet -bb --define "hook $here/refit-hook" --define "_topdir $out/rpmbuild" --define "_rpmdir $out" "$@" \
  "$here/rpm/polpkg-xen-upgrades.spec"
find "$out" -name 'polpkg-xen-upgrades-*.rpm'
