"""Zones as a peer of the container supervisors, for the scripts of bench-peers.

A zone is of brand linux with the scripts' own busybox root, which is copied in prep (untimed). Its
first process is /sbin/init, a script of one line there that executes what the scripts ask for: one
execve more than the others have. Zones always have a user namespace, so that there is one variant.

  BENCH_EXTRA=.../zone_peer.py ./bench_start.py --variant userns --peers none,unshare,zone

The instance is of its own, below $BENCH_STATE; ZONES_BIN names the programs.
"""
import json, os, shlex, shutil
from common import *
from peers import Console, Handle, Peer, pty_console

BIN = os.environ.get("ZONES_BIN", "")
INSTANCE = os.environ.get("BENCH_ZONES_ROOT", "/var/tmp/bench-zones")


class Zone(Peer):
    name = "zone"
    fg_ok = False   # what boots a zone does not stay, and hands nothing of its own down to it
    hide_cgroup2 = False

    def __init__(self):
        os.environ["ZONES_ROOT"] = INSTANCE

    def _cmd(self, name):
        return os.path.join(BIN, name) if BIN else name

    def check(self):
        if os.geteuid() != 0:
            return "not root"
        return None if shutil.which(self._cmd("zoneadm")) else "no zoneadm: name its directory in ZONES_BIN"

    def version(self):
        import subprocess
        p = subprocess.run([self._cmd("zoneadm"), "--version"], capture_output=True, text=True)
        return (p.stdout or p.stderr).strip().split("\n")[0]

    def begin(self):
        os.makedirs(INSTANCE, exist_ok=True)

    def end(self):
        if not os.path.isdir(INSTANCE + "/zones") or not os.listdir(INSTANCE + "/zones"):
            runq(["rm", "-rf", "--one-file-system", INSTANCE], ok=False)

    def _path(self, cid):
        return INSTANCE + "/zones/" + cid

    def root(self, cid, userns=False):
        return self._path(cid) + "/root"

    def prep(self, cid, userns=False, tty=False, argv=None):
        self._install(cid)
        if argv:
            self._init(cid, argv)

    def _install(self, cid):
        if os.path.isdir(self.root(cid)):
            return
        run([self._cmd("zonecfg"), "-z", cid, "create -b; set brand=linux; set zonepath=%s; commit" % self._path(cid)])
        run([self._cmd("zoneadm"), "-z", cid, "install", "-d", ROOTFS])

    def _init(self, cid, argv):
        path = self.root(cid) + "/sbin/init"
        if os.path.lexists(path):
            os.unlink(path)
        with open(path, "w") as f:
            f.write("#!/bin/sh\nexec %s\n" % " ".join(shlex.quote(a) for a in argv))
        os.chmod(path, 0o755)

    def clean(self, cid):
        runq([self._cmd("zoneadm"), "-z", cid, "uninstall", "-F"], ok=False)
        runq([self._cmd("zonecfg"), "-z", cid, "delete -F"], ok=False)

    def _status(self, cid):
        with open("%s/run/zones/status/%s.json" % (INSTANCE, cid)) as f:
            return json.load(f)

    def up(self, cid, argv, userns=False):
        runq([self._cmd("zoneadm"), "-z", cid, "boot"])
        s = self._status(cid)
        return Handle(cid, s["init"]["pid"], [s["zsched"]["pid"], s["zoned"]["pid"]])

    def down(self, h):
        runq([self._cmd("zoneadm"), "-z", h.cid, "halt"])
        wait_gone([h.init] + h.sups)

    def exec_argv(self, h, argv):
        return [self._cmd("zlogin"), h.cid] + argv

    def console(self, cid, argv):
        self.prep(cid, tty=True)
        self._init(cid, argv)
        c = pty_console([self._cmd("zlogin"), "-Q", "-C", cid])
        runq([self._cmd("zoneadm"), "-z", cid, "boot"])

        def close():
            c.close()
            runq([self._cmd("zoneadm"), "-z", cid, "halt"], ok=False)
            self.clean(cid)
        return Console(c.read, c.write, close, c.fd)


class Beside(Zone):
    """A zone on a host where another one runs, as is usual: the collector of contracts' events is loaded
    by a host's first zone and leaves with its last. Its stop is what `zoneadm halt` waits for; the
    supervisor stays for 0.3 s more, for what a script asks next, which `zone` waits for too.
    """
    name = "zone-beside"
    other = "bench-other"

    def begin(self):
        super().begin()
        self.prep(self.other)
        self._init(self.other, ["/bin/sleep", "1000000"])
        runq([self._cmd("zoneadm"), "-z", self.other, "boot"])

    def end(self):
        runq([self._cmd("zoneadm"), "-z", self.other, "halt"], ok=False)
        self.clean(self.other)
        super().end()

    def down(self, h):
        runq([self._cmd("zoneadm"), "-z", h.cid, "halt"])
        wait_gone([h.init])


PEERS = [Zone(), Beside()]
CONSOLE_PEERS = [Zone()]
