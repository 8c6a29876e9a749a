#!/bin/bash
# Completes the in-zone tree beside its programs: usage: inzone-tree.sh DIR
#
# DIR/svc is what the zone sees as /lib/svc. In its bin the programs stand, each with names of
# others that it answers to; this makes those names, copies manifests, methods and profiles, and
# makes DIR/layer, the layer that a sparse zone's /usr shows above the host's.
# This is the only list of those names.
set -euo pipefail

dir=${1:?usage: inzone-tree.sh DIR}
smf=$(dirname "$0")/../configs/smf

# program:name:where its link stands in the layer; nothing for names that only the platform calls
names=(
	init:init:usr/sbin
	init:trampoline:
	init:enter:
	init:console-login:
	init:halt:usr/sbin
	init:poweroff:usr/sbin
	init:reboot:usr/sbin
	init:shutdown:usr/sbin
	init:telinit:usr/sbin
	init:zonename:usr/bin
	init:ctrun:usr/bin
	init:ctstat:usr/bin
	init:ctwatch:usr/bin
	svc.startd:svc.startd:
	svc.startd:svc.configd:
	svccfg:svccfg:usr/sbin
	svccfg:svcadm:usr/sbin
	svccfg:svcprop:usr/bin
	svccfg:svcs:usr/bin
	svccfg:manifest-import:
	svccfg:restore_repository:
	svccfg:smtp-notify:
	svccfg:repository-relay:
)

# link TARGET PATH: only when it is not so already, so that a second build changes nothing.
link() {
	[[ $(readlink "$2" || true) == "$1" ]] || ln -sfnT "$1" "$2"
}

for entry in "${names[@]}"; do
	IFS=: read -r program name where <<<"$entry"
	if [[ $name != "$program" ]]; then link "$program" "$dir/svc/bin/$name"; fi
	[[ $where ]] || continue
	# Where a zone has a /usr of its own, init makes from svc/tools what is missing there.
	for tree in "$dir/layer" "$dir/svc/tools"; do
		mkdir -p "$tree/$where"
		link "/lib/svc/bin/$name" "$tree/$where/$name"
	done
done
# The shell of methods and of the original's scripts, where a system has it in /bin alone.
for tree in "$dir/layer" "$dir/svc/tools"; do link /bin/sh "$tree/usr/sbin/sh"; done
# What is no program is copied anew, so that what was taken away from the sources goes here too.
for part in manifest method profile share; do
	rm -rf "$dir/svc/$part"
	if [[ -d $smf/$part ]]; then cp -R --preserve=mode,timestamps "$smf/$part" "$dir/svc/$part"; fi
done
# Where DIR/svc is mounted in a sparse zone, whose /lib is a link into /usr.
mkdir -p "$dir/layer/usr/lib/svc"
