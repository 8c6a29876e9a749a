package global

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/server"
	"github.com/linuxzones/zones/internal/keeper"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/internal/sys"
)

// Name is the host's among zones, and that under which its keeper and its state go.
const Name = "global"

// idleAfter is how long there was nothing to serve when the server leaves: longer than a
// script takes from one command to the next, so that it is not started for each.
const idleAfter = 10 * time.Second

// idleVariable is the environment variable that shortens it.
const idleVariable = "ZONES_CONTRACTD_IDLE"

// lookEvery is how often it looks whether there is something to serve.
const lookEvery = time.Second

// lockName is the lock of who serves.
const lockName = "contractd.pid"

// ErrTaken: another process serves already.
var ErrTaken = errors.New("another process serves the host's contracts")

// host is the server at work.
type host struct {
	lay     layout.Layout
	libexec string
	log     server.Log
	idle    time.Duration

	keeper *keeper.Client
	held   *keeper.Held
	place  place
	zone   uint64 // the id of the generation's directory
	server *server.Server
	group  sync.WaitGroup
	failed chan error // Serve has returned
	lost   chan struct{}
}

// Run serves until nothing was to be served for a while. libexec is the directory of zrun.
// ready is called when clients can come.
func Run(lay layout.Layout, libexec string, log server.Log, ready func()) error {
	h := &host{lay: lay, libexec: libexec, log: log, idle: idleTime(), failed: make(chan error, 1), lost: make(chan struct{})}
	dir, err := sys.OpenDir(lay.ZoneState(Name))
	if err != nil {
		return err
	}
	defer dir.Close()
	lock, _, err := sys.LockFile(dir, lockName)
	if errors.Is(err, unix.EAGAIN) {
		return ErrTaken
	}
	if err != nil {
		return err
	}
	defer lock.Remove()
	if err := lock.WritePid(os.Getpid()); err != nil {
		return err
	}
	if h.keeper, h.held, err = keeper.Dial(sys.Own(keeper.SocketFD)); err != nil {
		return fmt.Errorf("talk to zsched: %w", err)
	}
	defer h.held.Close()
	return h.live(ready)
}

func idleTime() time.Duration {
	if d, err := time.ParseDuration(os.Getenv(idleVariable)); err == nil && d > 0 {
		return d
	}
	return idleAfter
}

// live is everything between the first word with the keeper and the last.
func (h *host) live(ready func()) error {
	h.group.Go(h.listen)
	defer h.group.Wait()
	defer unix.Shutdown(keeper.SocketFD, unix.SHUT_RDWR)
	if err := h.open(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	h.group.Go(func() { h.failed <- h.server.Serve(ctx) })
	if err := h.mount(); err != nil {
		h.drop()
		return err
	}
	// Held from here on: whatever this process dies of, it is succeeded.
	if err := h.keeper.Hold(true); err != nil {
		return fmt.Errorf("talk to zsched: %w", err)
	}
	if err := h.keeper.Started(); err != nil {
		return fmt.Errorf("talk to zsched: %w", err)
	}
	ready()
	h.log.Infof("serving the contracts of this host in %s", h.place.generation())
	spare, err := h.attend()
	if err != nil {
		return err
	}
	h.leave()
	return spare.Close()
}

// open takes the predecessor's contracts over, or begins with none.
func (h *host) open() (err error) {
	if h.place, err = findPlace(h.lay); err != nil {
		return err
	}
	if h.resumable() {
		if err = h.begin(); err == nil && h.server.Resumed() {
			return nil
		}
		// What is left of the predecessor is of no use: its descriptors go, and its processes
		// are nobody's.
		h.log.Errorf("the contracts of a predecessor can not be taken over: %v", err)
	}
	h.forget()
	if err = h.place.begin(h.lay); err != nil {
		return err
	}
	return h.begin()
}

// resumable says whether there is a predecessor's file system that somebody can reach.
func (h *host) resumable() bool {
	for _, name := range server.SlotNames {
		if !h.held.Slots[name].Valid() {
			return false
		}
	}
	return h.place.load(h.lay) == nil && mounted(contract.HostPath(h.lay))
}

// forget lets go of what a predecessor kept.
func (h *host) forget() {
	unmount(contract.HostPath(h.lay))
	for i := len(server.SlotNames) - 1; i >= 0; i-- {
		h.dropSlot(server.SlotNames[i])
	}
	h.dropSlot(slotRing)
}

func (h *host) dropSlot(name string) {
	h.held.Slots[name].Close()
	delete(h.held.Slots, name)
	_ = h.keeper.Drop(name)
}

// begin opens the server in the place at hand.
func (h *host) begin() error {
	var st unix.Stat_t
	root := h.place.generation()
	if err := unix.Stat(root, &st); err != nil {
		return &sys.Error{Op: "stat", What: root, Errno: err}
	}
	h.zone = st.Ino
	c, err := h.collector()
	if err != nil {
		h.log.Warnf("events come from slower sources: %v", err)
	}
	h.server, err = server.Open(server.Config{
		Zone: Name, Root: root, Collector: c, IDs: server.IDsFile(h.lay.Run), Keeper: h.keeper, Held: h.held.Slots, Log: h.log,
	})
	return err
}

// listen takes what the keeper says: deaths of its children are nothing to us.
func (h *host) listen() {
	for {
		d, err := h.keeper.Next()
		if err != nil {
			close(h.lost)
			return
		}
		_ = h.keeper.Forget(d)
	}
}

// attend returns when the server is not needed any more, with its file system, which nobody
// reaches, or has failed.
func (h *host) attend() (*sys.FD, error) {
	tick := time.NewTicker(min(lookEvery, h.idle))
	defer tick.Stop()
	since := time.Now()
	lost := h.lost
	for {
		select {
		case err := <-h.failed:
			return nil, fmt.Errorf("serve the contracts: %w", err)
		case <-lost:
			h.log.Errorf("zsched is dead: this server has no successor if it is killed")
			lost = nil
		case <-tick.C:
			all, err := h.server.Statuses()
			if err != nil || len(all) > 0 {
				since = time.Now()
				continue
			}
			if time.Since(since) < h.idle {
				continue
			}
			if spare := h.retire(); spare != nil {
				return spare, nil
			}
		}
	}
}

// retire closes the way in, and gives the file system if nobody is inside.
func (h *host) retire() *sys.FD {
	path := contract.HostPath(h.lay)
	spare, err := spareMount(path)
	if err != nil {
		h.log.Warnf("leave: %v", err)
		return nil
	}
	if err := unix.Unmount(path, unix.UMOUNT_NOFOLLOW); err != nil {
		if err != unix.EBUSY { // somebody has a file of it open
			h.log.Warnf("leave: unmount %s: %v", path, err)
		}
		spare.Close()
		return nil
	}
	// A contract may have been made since we looked, by somebody who has closed everything.
	all, err := h.server.Statuses()
	if err == nil && len(all) == 0 {
		return spare
	}
	if err := attach(spare, path); err != nil {
		h.log.Errorf("mount %s again: %v", path, err)
	}
	spare.Close()
	return nil
}

// leave takes everything away. Who comes from here on begins anew.
func (h *host) leave() {
	h.drop()
	_ = h.keeper.Hold(false)
	_ = h.keeper.Quit()
	h.log.Infof("nothing was to be served for %v: leaving", h.idle)
}

// drop ends the server and removes what was made for it.
func (h *host) drop() {
	if err := h.server.Stop(); err != nil {
		h.log.Warnf("stop: %v", err)
	}
	<-h.failed
	_ = h.server.Close()
	h.leaveCollector()
	h.dropSlot(slotRing)
	path := contract.HostPath(h.lay)
	unmount(path)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		h.log.Warnf("leave: %v", err)
	}
	if err := h.place.end(h.lay); err != nil {
		h.log.Warnf("leave: %v", err)
	}
	select {
	case <-h.lost:
		h.place.leave() // zsched would have
	default:
	}
}

// zrun is the program that loads the collector.
func (h *host) zrun() string { return filepath.Join(h.libexec, "zrun") }
