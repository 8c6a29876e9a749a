#!/bin/bash
# Completes the in-zone tree beside the multi-call program: usage: inzone-tree.sh DIR
#
# DIR/bin/init is the program; this makes the names it answers to, and DIR/layer, the layer
# that a sparse zone's /usr shows above the host's. The zone sees DIR/bin as /lib/svc/bin.
# This is the only list of those names.
set -euo pipefail

dir=${1:?usage: inzone-tree.sh DIR}

# name:where its link stands in the layer; nothing for names that only the platform calls
names=(
	init:usr/sbin
	trampoline:
	enter:
	halt:usr/sbin
	poweroff:usr/sbin
	reboot:usr/sbin
	shutdown:usr/sbin
	telinit:usr/sbin
	zonename:usr/bin
	ctrun:usr/bin
	ctstat:usr/bin
	ctwatch:usr/bin
)

# link TARGET PATH: only when it is not so already, so that a second build changes nothing.
link() {
	[[ $(readlink "$2" || true) == "$1" ]] || ln -sfnT "$1" "$2"
}

for entry in "${names[@]}"; do
	name=${entry%%:*} where=${entry#*:}
	mkdir -p "$dir/bin"
	if [[ $name != init ]]; then link init "$dir/bin/$name"; fi
	[[ $where ]] || continue
	mkdir -p "$dir/layer/$where"
	link "/lib/svc/bin/$name" "$dir/layer/$where/$name"
done
# Where DIR/bin is mounted in a sparse zone, whose /lib is a link into /usr.
mkdir -p "$dir/layer/usr/lib/svc/bin"
