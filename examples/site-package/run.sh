#!/bin/sh
# Check, build and install a package of this site.
set -eu
cd "$(dirname "$0")"
rm -rf build

polpkg check log-collector --all-xen
polpkg build log-collector -o build/packages
polpkg install log-collector --index site=build/packages --root build/host --xen 4.17
polpkg explain domU_t log_collector_t grant copy --root build/host
