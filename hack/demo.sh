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

# The console's client wants a terminal, which script gives it, and attaches before the boot,
# to see it from the first line; ~. at the start of a line makes it leave.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
	until [[ -e $work/enough ]]; do sleep 0.2; done
	printf '\r'
	sleep 1
	printf '\r~.'
} | script -qefc "$bin/zlogin -C $zone" "$work/console" >/dev/null 2>&1 &
console=$!
for ((i = 0; i < 50; i++)); do
	if grep -q Connected "$work/console" 2>/dev/null; then break; fi
	sleep 0.1
done
if [[ $(state) != running ]]; then show "$bin/zoneadm" -z $zone boot; fi

show "$bin/zoneadm" list -v
show "$bin/zlogin" $zone 'echo "I am $(id -un) in $(zonename); process 1 is $(cat /proc/1/comm)"; ps -e 2>/dev/null | head -n 8 || true'

printf '\n# zlogin -C %s      (the console, since before the boot)\n' $zone
"$bin/zlogin" $zone 'echo "hello from $(zonename)" >/dev/console'
sleep 1
touch "$work/enough"
wait $console || true
# Without what only moves a cursor, since this is read as text.
grep -v '^Script ' "$work/console" | sed -E 's/\x1b\[[?0-9;]*[a-zA-Z]//g; s/\x1b(\(B|[>=])//g' | tr -d '\r' | head -n 12

# Its services: all that are enabled are there; one whose process is killed comes back.
"$bin/zlogin" $zone 'svcadm enable -s milestone/multi-user-server:default'
show "$bin/svcs" -z $zone
printf '\n# zlogin %s: the process of svc:/system/system-log is killed\n' $zone
"$bin/zlogin" $zone 'kill -KILL $(svcs -pH -o fmri system-log | awk "NR == 2 { print \$2 }") && sleep 1 && svcs -p system-log && tail -n 4 "$(svcs -L system-log)"' || true
show "$bin/svcs" -z $zone -x system-log

cat <<EOT

The zone $zone runs. Try next, with PATH=$bin:\$PATH
  zlogin $zone                      a shell in the zone
  zlogin -C $zone                   its console; ~. leaves it
  pkill -KILL zoned                its supervisor dies, and the zone does not notice
  svcs -z $zone -x                  what does not run there, and why
  zoneadm -z $zone reboot           and: halt, boot, shutdown
  zoneadm -z $zone plan             how it is built
  zonecfg -z $zone info             how it is configured
  make demo-clean                  remove it
EOT
