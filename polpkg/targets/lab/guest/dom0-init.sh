#!/bin/sh
# dom0: runs each script that the second serial port brings, base64 in one line, and answers there.
export PATH=/sbin:/bin LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /var/run/xen /var/run/xenstored; mount -t devpts pts /dev/pts; ln -s /var/run /run
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
mount -t xenfs xenfs /proc/xen
dmesg -n 1
stty -F /dev/ttyS1 raw -echo 115200
exec 3<>/dev/ttyS1
echo "##UP" >&3
while IFS= read -r line <&3; do
  echo "$line" | base64 -d >/tmp/command
  sh /tmp/command >/tmp/answer 2>&1 </dev/null; status=$?
  { sed 's/^/|/' /tmp/answer; echo "##DONE $status"; } >&3
done
poweroff -f
