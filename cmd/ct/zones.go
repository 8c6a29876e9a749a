package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/tool"
	"github.com/linuxzones/zones/internal/layout"
	"github.com/linuxzones/zones/zoned/api"
)

// statesWithContracts are those in which a zone has contracts.
var statesWithContracts = []string{"ready", "running", "shutting_down"}

// zoneSources are the zones that are up, each asked through its supervisor's door. The doors
// are root's: who is somebody else sees the host's contracts only.
func zoneSources() ([]tool.Source, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	lay := layout.FromEnv()
	files, err := os.ReadDir(lay.Status())
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the zones: %w", err)
	}
	var list []tool.Source
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), filepath.Ext(lay.StatusFile("x")))
		if !ok || name == "global" {
			continue
		}
		st, err := api.ReadStatus(lay.StatusFile(name))
		if err != nil || st == nil || !slices.Contains(statesWithContracts, st.Effective()) {
			continue // it is coming or going
		}
		list = append(list, zone{name: name, client: &api.Client{Layout: lay, Zone: name}})
	}
	return list, nil
}

// zone is one zone's contracts, behind its supervisor's door.
type zone struct {
	name   string
	client *api.Client
}

func (z zone) Zone() string { return z.name }

func (z zone) Statuses(ids []contract.ID) ([]contract.Status, error) {
	lines, err := z.client.Contracts(context.Background())
	if err != nil {
		return nil, fmt.Errorf("zone '%s': %w", z.name, err)
	}
	var list []contract.Status
	for _, line := range lines {
		var st contract.Status
		if err := json.Unmarshal(line, &st); err != nil {
			return nil, fmt.Errorf("zone '%s': %w", z.name, err)
		}
		if len(ids) == 0 || slices.Contains(ids, st.ID) {
			list = append(list, st)
		}
	}
	return list, nil
}

// Open follows the zone's events.
func (z zone) Open(id contract.ID, w tool.Watch) (tool.Stream, error) {
	if id != 0 {
		list, err := z.Statuses([]contract.ID{id})
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, fs.ErrNotExist
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &stream{events: make(chan contract.Event, streamAhead), cancel: cancel, ended: make(chan struct{})}
	from := api.FromNow
	if w.Front {
		from = api.FromFront
	}
	if w.Reliable {
		from |= api.Reliable
	}
	go func() {
		defer close(s.ended)
		s.err = z.client.ContractEvents(ctx, from, func(line []byte) error { return s.take(ctx, id, line) })
		if s.err == nil {
			s.err = io.EOF
		} else if ctx.Err() == nil {
			s.err = fmt.Errorf("zone '%s': %w", z.name, s.err)
		}
	}()
	return s, nil
}

// streamAhead is how many events are read before they are asked for.
const streamAhead = 64

// stream is a zone's events.
type stream struct {
	events chan contract.Event
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // why, once ended is closed
}

// take passes an event on, if it is one of contract id's (0: of any).
func (s *stream) take(ctx context.Context, id contract.ID, line []byte) error {
	e, err := contract.ParseEvent(strings.TrimSuffix(string(line), "\n"))
	if err != nil {
		return err
	}
	if id != 0 && e.CT != id {
		return nil
	}
	select {
	case s.events <- e:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *stream) Next(ctx context.Context) (contract.Event, error) {
	select {
	case e := <-s.events:
		return e, nil
	case <-ctx.Done():
		return contract.Event{}, context.Cause(ctx)
	case <-s.ended:
	}
	select {
	case e := <-s.events: // read before the end
		return e, nil
	default:
		return contract.Event{}, s.err
	}
}

// Close ends the stream and waits for who reads it.
func (s *stream) Close() error {
	s.cancel()
	<-s.ended
	return nil
}
