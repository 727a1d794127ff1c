#!/bin/sh
# A verifier: runs each line that it is sent on its console.
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
insmod /modules/xen-privcmd.ko unrestricted=1; insmod /modules/xenfs.ko; insmod /modules/xen-evtchn.ko
mount -t xenfs xenfs /proc/xen
exec </dev/hvc0 >/dev/hvc0 2>&1
stty -echo -onlcr -icrnl
echo "##VMV-UP"
while IFS= read -r line; do eval "$line"; echo "##DONE $?"; done
poweroff -f
