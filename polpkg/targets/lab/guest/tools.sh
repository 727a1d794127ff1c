# Runs in dom0: starts Xen's tools, and says which of them does not start.
failed=0
refuse() { echo "$1 does not start"; failed=1; }
xenstored --pid-file /var/run/xenstored.pid || refuse xenstored
tries=0
until xenstore-read / >/dev/null 2>&1; do
  tries=$((tries+1)); [ $tries -gt 30 ] && { refuse "xenstored"; exit 1; }; sleep 1
done
xen-init-dom0 || refuse xen-init-dom0
xenconsoled --pid-file=/var/run/xenconsoled.pid || refuse xenconsoled
exit $failed
