#!/bin/sh
# Before any package is there: $1 is the tree.  A small ramdisk, and settings for a machine with a serial console.
set -eu
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d" "$1/etc/default/grub.d"
echo 'MODULES=list' >"$1/etc/initramfs-tools/conf.d/lab"
printf '%s\n' ata_piix ahci sd_mod ext4 >"$1/usr/share/initramfs-tools/modules.d/lab"
cat >"$1/etc/default/grub.d/lab.cfg" <<'END'
GRUB_TIMEOUT=0
GRUB_DISABLE_OS_PROBER=true
GRUB_TERMINAL=serial
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
GRUB_DISABLE_LINUX_UUID=true
GRUB_CMDLINE_LINUX="console=hvc0 init=/sbin/lab panic=1 nokaslr mitigations=off"
GRUB_CMDLINE_XEN="console=com1 com1=115200,8n1 loglvl=all dom0_mem=768M,max:768M dom0_max_vcpus=1 smt=0 spec-ctrl=no xpti=no pv-l1tf=no sched=credit"
END
