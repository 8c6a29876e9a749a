#!/bin/bash
# Boots the guest, runs DIR/run in it and shows what that prints; its exit status is ours,
# or 125 when the guest did not come that far. usage: run.sh DIR
#
# The guest works on a copy of its disk that is thrown away. It has no network.
# ZONES_VM_SECONDS bounds the whole run, ZONES_VM_CONSOLE names a file to keep the guest's
# console in, ZONES_VM_ACCEL another accelerator than emulation, where one works.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
payload=${1:?usage: run.sh DIR}
export PATH=$PATH:/usr/sbin:/sbin
image=$("$here/image.sh")

work=$(mktemp -d "${TMPDIR:-/var/tmp}/zones-vm-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
console=${ZONES_VM_CONSOLE:-$work/console}
word=$(od -An -tx4 -N8 /dev/urandom | tr -d ' \n')

kilobytes=$(du -sk "$payload" | cut -f1)
truncate -s "$((kilobytes * 5 / 4 + 16384))K" "$work/payload.img"
mkfs.ext4 -q -O ^has_journal -d "$payload" "$work/payload.img"

# A kernel that hangs says where on its console, each processor by itself, and ends the run:
# two minutes are more than emulation beside other work lets a processor wait.
watch="watchdog_thresh=60 softlockup_panic=1 softlockup_all_cpu_backtrace=1"
# Two processors show races that one hides; memory is enough for some packages of tests.
qemu=(qemu-system-x86_64 -machine q35 -accel "${ZONES_VM_ACCEL:-tcg,thread=multi}" -cpu max -smp 2 -m 2048
	-kernel "$image/vmlinuz" -initrd "$image/initrd.gz"
	-append "console=ttyS0 root=/dev/vda rw mitigations=off panic=-1 loglevel=5 $watch systemd.show_status=0 zones.word=$word"
	-drive "file=$image/root.img,format=raw,if=virtio,snapshot=on"
	-drive "file=$work/payload.img,format=raw,if=virtio,readonly=on"
	-display none -vga none -nic none -monitor none -no-reboot
	-serial "file:$console" -chardev stdio,id=words,signal=off -serial chardev:words)

status=125
while IFS= read -r line; do
	if [[ $line == "guest-exit $word "* ]]; then
		status=${line##* }
	else
		printf '%s\n' "$line"
	fi
done < <(timeout -k 10 "${ZONES_VM_SECONDS:-600}" "${qemu[@]}" </dev/null 2>"$work/qemu" || echo "vm: qemu ended with status $?")

if ((status == 125)); then
	{
		echo "vm: the guest did not finish; its console ends with:"
		tail -n 200 "$console"
		cat "$work/qemu"
	} >&2
fi
exit "$status"
