# SPDX-License-Identifier: Apache-2.0
#
# What our own methods source, after nothing else. It is not for others: its names may change.

. /lib/svc/share/smf_include.sh

# Where a distribution keeps its daemons. svc.startd gives /usr/sbin:/usr/bin, which is all
# there is only where /bin and /sbin are links into /usr.
PATH=/lib/svc/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# say TEXT...: a line in the service's log.
say() {
	printf '%s\n' "$*"
}

# give_up TEXT...: nothing here would be another time than now.
give_up() {
	say "$*"
	exit "$SMF_EXIT_ERR_CONFIG"
}

# program NAME: prints where a program is. Not command -v: busybox's sh takes each of its
# applets for a program, and says only its name.
program() {
	for dir in /lib/svc/bin /usr/sbin /usr/bin /sbin /bin; do
		if [ -f "$dir/$1" ] && [ -x "$dir/$1" ]; then
			printf '%s\n' "$dir/$1"
			return 0
		fi
	done
	return 1
}

# applet NAME: prints where busybox is, if it is there and has the applet.
applet() {
	box=$(program busybox) || return 1
	"$box" --list 2>/dev/null | {
		found=1
		while read -r line; do
			[ "$line" != "$1" ] || found=0
		done
		exit "$found"
	} || return 1
	printf '%s\n' "$box"
}

# readable FILE: is it a plain file that can be opened? It is tried: root of a zone may be
# told that he may read what he may not, such as a file whose owner the zone does not know.
# And only of plain files: opening a pipe would wait.
readable() {
	[ -f "$1" ] && (: <"$1") 2>/dev/null
}

# absent FILE: nothing of that name is there, not even a link that leads nowhere.
absent() {
	[ ! -e "$1" ] && [ ! -L "$1" ]
}

# heads CTID: prints the members of a contract whose parent is none: the daemon itself, of a
# daemon that starts others.
heads() {
	all=$(_smf_members "$1")
	for member in $all; do
		parent=
		while read -r key value; do
			[ "$key" != PPid: ] || parent=$value
		done 2>/dev/null <"/proc/$member/status" || continue
		case " $all" in
		*" $parent "*) ;;
		*) printf '%s\n' "$member" ;;
		esac
	done
}
