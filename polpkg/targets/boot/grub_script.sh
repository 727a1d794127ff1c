#!/bin/sh
# Written by polpkg, and written again whenever the hypervisors of this machine change.
#
# For every hypervisor: an entry that boots it with the installed policy, one with the policy that was last confirmed
# (`polpkg confirm`), and one for each other kernel.  A new policy is tried once; unless it is confirmed, the boot
# after that takes the confirmed one.
set -e
. "${pkgdatadir:-/usr/share/grub}/grub-mkconfig_lib"

# label, hypervisor, policy, confirmed policy, sha256 of the hypervisor, options
polpkg_table() {
  cat <<'EOF'
@TABLE@
EOF
}

polpkg_kernel_version() {
  basename "$1" | sed 's/^[^0-9]*-//'
}

# Kernels that can be a dom0, newest first.
polpkg_kernels() {
  for kernel in @BOOT@/vmlinu[xz]-* /vmlinu[xz]-* @BOOT@/kernel-*; do
    grub_file_is_not_garbage "$kernel" || continue
    number=$(polpkg_kernel_version "$kernel")
    for config in "${kernel%/*}/config-$number" "/etc/kernels/kernel-config-$number"; do
      if grep -qsxE 'CONFIG_XEN_(DOM0|PRIVILEGED_GUEST)=y' "$config"; then
        echo "$number $kernel"
        break
      fi
    done
  done | sort -rV | cut -d ' ' -f 2
}

# The ramdisks of a kernel, those that come before it included.
polpkg_ramdisks() {
  number=$(polpkg_kernel_version "$1")
  folder=${1%/*}
  for early in ${GRUB_EARLY_INITRD_LINUX_STOCK} ${GRUB_EARLY_INITRD_LINUX_CUSTOM}; do
    if test -e "@BOOT@/$early"; then echo "@BOOT@/$early"; fi
  done
  for name in "initrd.img-$number" "initrd-$number.img" "initrd-$number.gz" "initrd-$number" \
    "initramfs-$number.img" "initramfs-genkernel-$number" "initramfs-genkernel-$(uname -m)-$number"; do
    if test -e "$folder/$name"; then
      echo "$folder/$name"
      return
    fi
  done
}

# The root device as the kernel is told, by the rules of GRUB's own scripts; $1: "yes" when there is a ramdisk.
polpkg_root() {
  if test "$GRUB_FS" = zfs; then
    pool=$(${grub_probe} --device "${GRUB_DEVICE}" --target=fs_label 2>/dev/null || true)
    dataset=$(make_system_path_relative_to_its_root / | sed 's/@$//')
    echo "ZFS=$pool${dataset%/}"
  elif test "$1" = yes && test -n "${GRUB_DEVICE_UUID}" && test "${GRUB_DISABLE_LINUX_UUID}" != true \
    && test -e "/dev/disk/by-uuid/${GRUB_DEVICE_UUID}" \
    && ! { test -e "${GRUB_DEVICE}" && uses_abstraction "${GRUB_DEVICE}" lvm; }; then
    echo "UUID=${GRUB_DEVICE_UUID}"
  elif test -n "${GRUB_DEVICE_PARTUUID}" && test "${GRUB_DISABLE_LINUX_PARTUUID:-true}" != true \
    && { test "$1" != yes || test -e "/dev/disk/by-partuuid/${GRUB_DEVICE_PARTUUID}"; }; then
    echo "PARTUUID=${GRUB_DEVICE_PARTUUID}"
  else
    echo "${GRUB_DEVICE}"
  fi
}

# A file of /boot as GRUB calls it; it need not exist yet.
polpkg_path() {
  base=$(make_system_path_relative_to_its_root "@BOOT@")
  case "$1" in
    @BOOT@/*) echo "${base%/}${1#@BOOT@}" ;;
    *) make_system_path_relative_to_its_root "$1" ;;
  esac
}

polpkg_device() {
  prepare_grub_to_access_device ${GRUB_DEVICE_BOOT:-${GRUB_DEVICE}}
}

# An entry.  $1: id, $2: title, $3: hypervisor, $4: policy, $5: kernel, $6: options of Xen
polpkg_entry() {
  if ${grub_file} --is-arm64-efi "$3"; then
    load=xen_hypervisor
    module=xen_module
  elif ${grub_file} --is-x86-multiboot2 "$3"; then
    load=multiboot2
    module=module2
  else
    load=multiboot
    module=module
  fi
  ramdisks=
  for file in $(polpkg_ramdisks "$5"); do ramdisks="$ramdisks $(polpkg_path "$file")"; done
  device=$(polpkg_root "$(if test -n "$ramdisks"; then echo yes; fi)")
  echo "menuentry '$(echo "$2" | grub_quote)' --class xen --class os \$menuentry_id_option '$1' {"
  polpkg_device | sed 's/^/  /'
  cat <<EOF
  insmod gzio
  if [ "\$grub_platform" = "pc" -o "\$grub_platform" = "" ]; then
    xen_rm_opts=
  else
    xen_rm_opts="no-real-mode edd=off"
  fi
  $load $(polpkg_path "$3") placeholder $6 \${xen_rm_opts}
  $module $(polpkg_path "$5") placeholder root=$device ro $polpkg_linux
EOF
  if test -n "$ramdisks"; then echo "  $module --nounzip$ramdisks"; fi
  # The policy goes last: a Xen without FLASK takes the first module that it does not know for the ramdisk.
  echo "  $module $(polpkg_path "$4")"
  echo "}"
}

# All entries of a hypervisor: a row of the table.
polpkg_hypervisor() {
  label=$1
  hypervisor=@BOOT@/$2
  policy=@BOOT@/$3
  fallback=@FOLDER@/$4
  known=$5
  shift 5
  options="${GRUB_CMDLINE_XEN} ${GRUB_CMDLINE_XEN_DEFAULT} $*"
  if ! test -s "$hypervisor" || ! test -s "$policy"; then
    grub_warn "polpkg: $hypervisor or $policy is not there: no entry for them"
    return
  fi
  found=$(sha256sum < "$hypervisor" | cut -d ' ' -f 1)
  if test -n "$found" && test "$found" != "$known"; then
    # It may refuse its policy, and a refused policy is a panic.
    grub_warn "polpkg: $hypervisor is not the one that its policy was made for: no entry until 'polpkg refit' was run"
    return
  fi
  title="${OS}, with Xen $label and the policy of polpkg"
  which=newest
  for kernel in $polpkg_all_kernels; do
    number=$(polpkg_kernel_version "$kernel")
    if test $which = newest; then
      polpkg_entry "@ID@$label" "$title" "$hypervisor" "$policy" "$kernel" "$options"
      echo "if [ -s '$(polpkg_path "$fallback")' ]; then"
      polpkg_entry "@ID@$label@CONFIRMED@" "$title (confirmed)" "$hypervisor" "$fallback" "$kernel" "$options"
      echo "fi"
      which=second
      continue
    fi
    if test $which = second; then
      echo "submenu '$(echo "$title (other kernels)" | grub_quote)' \$menuentry_id_option '@ID@$label-kernels' {"
      which=later
    fi
    polpkg_entry "@ID@$label-linux-$number" "$title, Linux $number" "$hypervisor" "$policy" "$kernel" "$options"
  done
  if test $which = later; then echo "}"; fi
  polpkg_labels="$polpkg_labels $label"
}

# Which entry is the default, decided by GRUB at each boot.
polpkg_default() {
  state=$(polpkg_path @FOLDER@/grubenv)
  first=${polpkg_labels# }
  first=${first%% *}
  echo "set default='@ID@$first'"
  echo "set polpkg_confirmed="
  polpkg_table | tac | while read -r label _ _ file _; do
    case " $polpkg_labels " in
      *" $label "*)
        echo "if [ -s '$(polpkg_path "@FOLDER@/$file")' ]; then set polpkg_confirmed='@ID@$label@CONFIRMED@'; fi"
        ;;
    esac
  done
  cat <<EOF
set @TRIAL@=
if [ -n "\${polpkg_confirmed}" ]; then
  set fallback="\${polpkg_confirmed}"
  if [ -s '$state' ]; then load_env --file '$state' @TRIAL@; fi
  if [ "\${@TRIAL@}" = "@STAGED@" ]; then
    set @TRIAL@=@BOOTED@
    if save_env --file '$state' @TRIAL@; then
      true
    else
      set default="\${polpkg_confirmed}"
    fi
  elif [ "\${@TRIAL@}" = "@BOOTED@" -o "\${@TRIAL@}" = "@FAILED@" ]; then
    set default="\${polpkg_confirmed}"
    if [ "\${@TRIAL@}" = "@BOOTED@" ]; then
      set @TRIAL@=@FAILED@
      save_env --file '$state' @TRIAL@
    fi
  fi
fi
EOF
}

OS="${GRUB_DISTRIBUTOR:+${GRUB_DISTRIBUTOR} }GNU/Linux"
polpkg_linux="${GRUB_CMDLINE_LINUX_XEN_REPLACE:-${GRUB_CMDLINE_LINUX}}"
polpkg_linux="$polpkg_linux ${GRUB_CMDLINE_LINUX_XEN_REPLACE_DEFAULT:-${GRUB_CMDLINE_LINUX_DEFAULT}}"
if test "$GRUB_FS" = btrfs; then
  subvolume=$(make_system_path_relative_to_its_root / | sed 's,^/,,')
  polpkg_linux="${subvolume:+rootflags=subvol=$subvolume }$polpkg_linux"
fi
polpkg_all_kernels=$(polpkg_kernels)
if test -z "$polpkg_all_kernels"; then
  grub_warn "polpkg: no kernel in @BOOT@ can be a dom0: no entries"
  exit 0
fi
# Everything below is looked for on the device of /boot.
polpkg_device
polpkg_labels=
while read -r row; do
  if test -n "$row"; then polpkg_hypervisor $row; fi
done <<EOF
$(polpkg_table)
EOF
if test -z "$polpkg_labels"; then exit 0; fi
# Somebody's own choice stays: another GRUB_DEFAULT, a saved entry, or `grub-reboot`.
case "${GRUB_DEFAULT:-0}" in
  0) echo 'if [ "${boot_once}" != "true" ]; then' ;;
  saved) echo 'if [ "${boot_once}" != "true" -a -z "${saved_entry}" ]; then' ;;
  *)
    grub_warn "polpkg: GRUB_DEFAULT is ${GRUB_DEFAULT}, so what polpkg installs is not booted by default"
    exit 0
    ;;
esac
polpkg_default
echo "fi"
