#!/bin/sh
# Play the image builder: two trees, one lock, the same policy.
set -eu
cd "$(dirname "$0")"
rm -rf build
mkdir -p build/project build/first build/second
cp policy.toml build/project

polpkg lock --project build/project

export POLPKG_PROJECT=build/project
for tree in first second; do
    BUILDROOT="build/$tree" ./finalize
done
cmp build/first/boot/xenpolicy-* build/second/boot/xenpolicy-*
echo "both images have the same policy"
