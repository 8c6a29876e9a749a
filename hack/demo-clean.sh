#!/bin/bash
# Removes what `make demo` made: usage: demo-clean.sh BIN. Without a demo it does nothing.
set -euo pipefail

bin=${1:?usage: demo-clean.sh BIN}
zone=demo
mark="made by make demo"

((EUID == 0)) || {
	echo "demo-clean: needs root" >&2
	exit 1
}

state() { "$bin/zoneadm" list -cp | awk -F: -v z=$zone '$2 == z { print $3 }'; }

if [[ -n $(state) ]]; then
	"$bin/zonecfg" -z $zone info attr | grep -qF "$mark" || {
		echo "demo-clean: the zone $zone is somebody else's; it stays" >&2
		exit 1
	}
	case $(state) in
	configured) ;;
	installed | incomplete) "$bin/zoneadm" -z $zone uninstall -F ;;
	*)
		"$bin/zoneadm" -z $zone halt
		"$bin/zoneadm" -z $zone uninstall -F
		;;
	esac
	"$bin/zonecfg" -z $zone delete -F
fi

# Its journal and logs outlive a zone on purpose; not this one's.
rm -rf /run/zones/state/$zone
rm -f /var/log/zones/$zone.{log,audit}*
# The directories, when no other zone has made use of them.
for dir in /var/lib/zones /var/log/zones; do
	rmdir --ignore-fail-on-non-empty $dir 2>/dev/null || true
done
