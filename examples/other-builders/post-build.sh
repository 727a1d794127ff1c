#!/bin/sh
# Buildroot: BR2_ROOTFS_POST_BUILD_SCRIPT="board/site/post-build.sh"; it is run with the tree as its argument.
set -eu
exec polpkg sync --locked --offline --yes --project "$(dirname "$0")" --root "$1"
