#!/bin/sh
# dom0: starts the Xen tools, runs /scenario.sh and says how it ended.
export PATH=/sbin:/bin LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /var/run/xen /var/run/xenstored; mount -t devpts pts /dev/pts; ln -s /var/run /run
for module in xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xenfs; do insmod /modules/$module.ko; done
mount -t xenfs xenfs /proc/xen
dmesg -n 1
xenstored --pid-file /var/run/xenstored.pid || echo "##FAILED xenstored"
tries=0; until xenstore-read / >/dev/null 2>&1; do sleep 1; tries=$((tries+1)); [ $tries -gt 30 ] && break; done
xen-init-dom0 || echo "##FAILED xen-init-dom0"
xenconsoled --pid-file=/var/run/xenconsoled.pid || echo "##FAILED xenconsoled"
echo "##DOM0-UP"
sh /scenario.sh
echo "##EXIT $?"
poweroff -f
