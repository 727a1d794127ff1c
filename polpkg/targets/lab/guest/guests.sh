# For dom0: starts a small guest, and runs commands in it by its console.
guest_start() { # name memory label [line of xl.cfg]...
  name=$1 memory=$2 label=$3; shift 3
  { echo "name=\"$name\""; echo 'type="pv"'; echo "memory=$memory"; echo 'vcpus=1'; echo 'kernel="/boot/vmlinux"'
    echo "ramdisk=\"${RAMDISK:-/boot/guest.cpio}\""; echo "seclabel=\"$label\""
    echo 'extra="console=hvc0 quiet rdinit=/init mitigations=off xen_privcmd.unrestricted=1"'
    for line; do echo "$line"; done; } >/tmp/$name.cfg
  rm -f /tmp/$name.log
  xl create /tmp/$name.cfg || return 1
  xl console $name >/tmp/$name.log 2>/dev/null </dev/null &
}
guest_wait() { # name seconds
  end=$(($(date +%s) + $2))
  until grep -q '##GUEST-UP' /tmp/$1.log 2>/dev/null; do
    [ $(date +%s) -gt $end ] && { echo "$1 does not come up"; tail -5 /tmp/$1.log; return 1; }; usleep 200000
  done
}
guest_run() { # name seconds command
  lines=$(wc -l </tmp/$1.log); done=$(grep -c '##DONE' /tmp/$1.log)
  echo "$3" >$(xenstore-read /local/domain/$(xl domid $1)/console/tty)
  end=$(($(date +%s) + $2))
  until [ $(grep -c '##DONE' /tmp/$1.log) -gt $done ]; do
    [ $(date +%s) -gt $end ] && { echo "$1 does not answer"; return 124; }; usleep 200000
  done
  tail -n +$((lines+1)) /tmp/$1.log | tr -d '\r' | sed '/^##DONE/d'
  return $(sed -n 's/^##DONE \([0-9]*\).*/\1/p' /tmp/$1.log | tail -1)
}
