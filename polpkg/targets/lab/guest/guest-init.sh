#!/bin/sh
# A guest: says that it is up, then runs each line that it is sent on its console.  With lab.poweroff on its command line
# it ends as soon as it is up.
export PATH=/bin LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do
  case $module in
    xen-privcmd) insmod /modules/$module.ko $(sed -n 's/.*xen_privcmd.\(unrestricted=1\).*/\1/p' /proc/cmdline);;
    *) insmod /modules/$module.ko;;
  esac
done
mount -t xenfs xenfs /proc/xen
case "$(cat /proc/cmdline)" in *lab.poweroff*) poweroff -f;; esac
exec </dev/hvc0 >/dev/hvc0 2>&1
stty -echo -onlcr -icrnl
echo "##GUEST-UP"
while IFS= read -r line; do eval "$line"; echo "##DONE $?"; done
poweroff -f
