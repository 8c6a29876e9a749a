#!/bin/bash
# Boots a sparse zone in the guest: systemd, cgroup2 alone, the distribution's own kernel.
# Prints a transcript and a "--- PASS: NAME" or "--- FAIL: NAME" line for each step.
# The software is taken in its installed layout, so that this is tried too. usage: test.sh
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d "${TMPDIR:-/var/tmp}/zones-vm-payload-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

make -s -C "$here/../.." install DESTDIR="$work/root" PREFIX=/usr/local
install -m 0755 "$here/test-zone.sh" "$work/run"
nice "$here/run.sh" "$work"
