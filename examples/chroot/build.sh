#!/bin/sh
# Give the tree of an image, on which its disk is mounted, the policy of policy.lock, and make its menu.  Run it as root:
#   build.sh TREE
set -eu
tree="$1"
polpkg sync --locked --offline --yes --project "$(dirname "$0")" --root "$tree"

trap 'umount --lazy "$tree/dev" "$tree/proc" "$tree/sys"' EXIT
for folder in dev proc sys; do
    mount --rbind "/$folder" "$tree/$folder"
    mount --make-rslave "$tree/$folder"
done
chroot "$tree" grub-mkconfig -o /boot/grub/grub.cfg
polpkg verify --root "$tree"
