#!/bin/bash
# Makes, boots and shows the zone `demo`: usage: demo.sh BIN. Running it again shows it again.
set -euo pipefail

bin=${1:?usage: demo.sh BIN}
zone=demo
mark="made by make demo"

die() {
	echo "demo: $*" >&2
	exit 1
}

# show prints a command as one would type it, and runs it.
show() {
	printf '\n# %s\n' "${*/#$bin\//}"
	"$@"
}

# state is the zone's state, empty for no zone.
state() { "$bin/zoneadm" list -cp | awk -F: -v z=$zone '$2 == z { print $3 }'; }

((EUID == 0)) || die "a zone needs root: sudo make demo"

if [[ -n $(state) ]] && ! "$bin/zonecfg" -z $zone info attr | grep -qF "$mark"; then
	die "there is a zone $zone of somebody else's here"
fi
if [[ $(state) == incomplete ]]; then "$bin/zoneadm" -z $zone uninstall -F; fi
if [[ -z $(state) ]]; then
	show "$bin/zonecfg" -z $zone "create; set zonepath=/var/lib/zones/$zone; add attr; set name=comment; set type=string; set value=\"$mark\"; end"
fi
if [[ $(state) == configured ]]; then show "$bin/zoneadm" -z $zone install; fi
if [[ $(state) != running ]]; then show "$bin/zoneadm" -z $zone boot; fi

show "$bin/zoneadm" list -v
# What a program writes to the console while nobody looks is kept for who comes later.
"$bin/zlogin" $zone 'echo "hello from $(zonename)" >/dev/console'
show "$bin/zlogin" $zone 'echo "I am $(id -un) in $(zonename); process 1 is $(cat /proc/1/comm)"; ps -e 2>/dev/null | head -n 8 || true'

printf '\n# zlogin -C %s      (the console: its first lines)\n' $zone
# The console wants a terminal; ~. leaves it.
{
	sleep 2
	printf '~.'
} | script -qec "$bin/zlogin -C $zone" /dev/null | head -n 12 | tr -d '\r' || true

cat <<EOT

The zone $zone runs. Try next, with PATH=$bin:\$PATH
  zlogin $zone                      a shell in the zone
  zlogin -C $zone                   its console; ~. leaves it
  pkill -KILL zoned                its supervisor dies, and the zone does not notice
  zoneadm -z $zone reboot           and: halt, boot, shutdown
  zoneadm -z $zone plan             how it is built
  zonecfg -z $zone info             how it is configured
  make demo-clean                  remove it
EOT
