# Runs in dom0, after assignments of VMV, GUEST, PLAIN and OTHERS (labels).  Writes `##RESULT actor target step result`.
configure() { # name memory ramdisk label more
  cat >/tmp/$1.cfg <<X
name="$1"
type="pv"
memory=$2
vcpus=1
kernel="/boot/vmlinux"
ramdisk="$3"
seclabel="$4"
extra="console=hvc0 quiet rdinit=/init $5"
X
}
wait_for() { # file pattern
  tries=0; until grep -q "$2" $1 2>/dev/null; do sleep 1; tries=$((tries+1)); [ $tries -gt 90 ] && return 1; done; return 0; }
start() { # name pattern
  xl create /tmp/$1.cfg >/tmp/out 2>&1 || cat /tmp/out
  xl console $1 >/tmp/$1.log 2>/dev/null </dev/null &
  wait_for /tmp/$1.log $2 && echo "##RESULT dom0 $1 start OK"; }
in_vmv() { # command
  lines=$(wc -l </tmp/vmv.log); done=$(grep -c '##DONE' /tmp/vmv.log)
  echo "$*" >$(xenstore-read /local/domain/$V/console/tty)
  tries=0; until [ $(grep -c '##DONE' /tmp/vmv.log) -gt $done ]; do sleep 1; tries=$((tries+1)); [ $tries -gt 90 ] && break; done
  tail -n +$((lines+1)) /tmp/vmv.log | tr -d '\r' >/tmp/last; }
report() { sed -n "s/^STEP \([^ ]*\) \(.*\)/##RESULT $1 $2 \1 \2/p" /tmp/last; }
value() { sed -n "s/^$1 //p" /tmp/last | head -1; }

(cat /boot/vmv.cpio; cd / && printf 'boot/vmlinux\nboot/guest.cpio\n' | cpio -o -H newc 2>/dev/null) >/tmp/vmv.cpio
configure vmv 400 /tmp/vmv.cpio "$VMV" xen_privcmd.unrestricted=1; start vmv '##VMV-UP'; rm /tmp/vmv.cpio
configure plain 128 /boot/guest.cpio "$PLAIN"; start plain GUEST-UP
V=$(xl domid vmv); P=$(xl domid plain)
xl list -Z | sed 's/^/##LIST /'

in_vmv "vmvctl build $GUEST /boot/vmlinux /boot/guest.cpio 128 'console=hvc0 quiet rdinit=/init guest.poweroff'"; report vmv guest
G=$(value DOMID); M=$(value MFN)
vmvctl try $G getinfo pause unpause max_vcpus setmaxmem shutdown map=$M destroy >/tmp/last; report dom0 guest
vmvctl create $GUEST >/tmp/last; report dom0 label
xl list | sed 's/^/##SEEN /'
in_vmv "vmvctl try $G unpause pause"; report vmv guest
in_vmv "vmvctl try $G unpause"
tries=0; while [ $tries -lt 60 ]; do in_vmv "vmvctl state $G"; grep -q 'shutdown=1' /tmp/last && break; sleep 1; tries=$((tries+1)); done
sed -n 's/^STATE/##STATE/p' /tmp/last
in_vmv "vmvctl try $G destroy"; report vmv guest
in_vmv "vmvctl try 0 getinfo max_vcpus setmaxmem ports"; report vmv dom0
in_vmv "vmvctl try $P getinfo pause unpause max_vcpus setmaxmem shutdown ports destroy"; report vmv plain
for label in $OTHERS; do in_vmv "vmvctl create $label"; report vmv $label; done
xl destroy plain && echo "##RESULT dom0 plain destroy OK"; xl destroy vmv && echo "##RESULT dom0 vmv destroy OK"
