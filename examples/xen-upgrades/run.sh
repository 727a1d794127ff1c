#!/bin/sh
# What the triggers do, without a package manager: a tree with a policy, and the hook that looks at it.
set -e
root=build/root
rm -rf build
polpkg install dom0 --root "$root" --xen 4.17 --quiet
DPKG_ROOT=$PWD/$root ./refit-hook && echo "nothing changed, so nothing is said"
rm "$root/var/lib/polpkg/current"
DPKG_ROOT=$PWD/$root ./refit-hook && echo "nothing is installed, so nothing is done"
