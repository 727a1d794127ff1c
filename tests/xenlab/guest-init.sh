#!/bin/sh
# An ordinary guest: says that it is up; powers off when its command line says so.
export PATH=/bin
mount -t proc proc /proc; mount -t devtmpfs dev /dev
echo "GUEST-UP" >/dev/console 2>/dev/null
case "$(cat /proc/cmdline)" in *guest.poweroff*) poweroff -f;; esac
while :; do sleep 60; done
