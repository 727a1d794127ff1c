#!/bin/sh
# Give a host two Virtual Machine Verifiers and ask who may create what.
set -eu
cd "$(dirname "$0")"
rm -rf build
mkdir -p build/host
cp policy.toml build

polpkg lock --project build
polpkg sync --locked --project build --root build/host
polpkg labels --root build/host
polpkg query allow -c domain -p create --root build/host
polpkg explain vmv_acme_t vmv_umbrella_mail_t domain pause --root build/host
