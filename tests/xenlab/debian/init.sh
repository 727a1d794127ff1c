#!/bin/sh
# dom0 runs this instead of an init: it tells on Xen's console what it finds, and switches the machine off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/xen-4.17/bin
say() { sed "s/^/##LAB $1 /" >/dev/hvc0; }

mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sys /sys
mount -o remount,rw /
mount -t tmpfs run /run
mkdir -p /run/xen /run/xenstored /run/lock /var/log/xen
dmesg -n 1
for module in xen-privcmd xenfs xen-evtchn xen-gntdev xen-gntalloc; do modprobe "$module" 2>/dev/null; done
mount -t xenfs xenfs /proc/xen
xenstored --pid-file /run/xenstored.pid 2>&1 | say error
tries=0
until xenstore-read / >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -gt 60 ]; then echo "xenstored does not answer" | say error; break; fi
  sleep 1
done
xen-init-dom0 >/dev/null 2>&1 || echo "xen-init-dom0 fails" | say error
xl list -Z 2>&1 | say list
flask-getenforce 2>&1 | say mode
xl info xen_commandline 2>&1 | say options
sha256sum /boot/xenpolicy-* 2>&1 | say policy
xl dmesg 2>&1 | grep -c 'avc: *denied' | say denials
if [ -e /boot/polpkg/grubenv ]; then grub-editenv /boot/polpkg/grubenv list 2>&1 | say record; fi
echo end | say done
mount -o remount,ro /
echo o >/proc/sysrq-trigger
sleep 60
