package main

import (
	"fmt"
	"strconv"
	"sync"
)

// scaleZones is how many zones there are at once, scaleTogether how many of them boot at the same time.
const (
	scaleZones    = 100
	scaleTogether = 20
)

// scale measures whether a zone costs the same among many: a cold boot and a halt with no other zone
// there but one, and with scaleZones; and scaleTogether cold boots at once, for each of them.
func (b *bench) scale() error {
	if !b.wants("scale.") {
		return nil
	}
	names := make([]string, scaleZones)
	for i := range names {
		names[i] = "s" + strconv.Itoa(i)
		if err := b.zone(names[i]); err != nil {
			return err
		}
	}
	if err := b.zone("one"); err != nil {
		return err
	}
	if err := b.run("zoneadm", "-z", names[0], "boot"); err != nil {
		return err
	}
	if err := b.amongOthers("1", none); err != nil {
		return err
	}
	var together []float64
	for at := 1; at < scaleZones; at += scaleTogether {
		group := names[at:min(at+scaleTogether, scaleZones)]
		ms, err := timed(func() error { return b.together(group, "boot") })
		if err != nil {
			return err
		}
		together = append(together, ms/float64(len(group)))
	}
	b.print(fmt.Sprintf("scale.boot-of-%d-together-each", scaleTogether), "ms", "scale.boot-among-1", together)
	if err := b.amongOthers(strconv.Itoa(scaleZones), "1"); err != nil {
		return err
	}
	for at := 0; at < scaleZones; at += scaleTogether {
		if err := b.together(names[at:at+scaleTogether], "halt"); err != nil {
			return err
		}
	}
	return nil
}

// amongOthers boots and halts one zone where so many others are.
func (b *bench) amongOthers(others, limit string) error {
	var boots, halts []float64
	for range b.runs {
		if err := b.awaitGone("one"); err != nil {
			return err
		}
		for _, m := range []struct {
			verb string
			ms   *[]float64
		}{{"boot", &boots}, {"halt", &halts}} {
			took, err := timed(func() error { return b.run("zoneadm", "-z", "one", m.verb) })
			if err != nil {
				return err
			}
			*m.ms = append(*m.ms, took)
		}
	}
	for verb, ms := range map[string][]float64{"boot": boots, "halt": halts} {
		l := ""
		if limit != none {
			l = "scale." + verb + "-among-" + limit
		}
		b.print("scale."+verb+"-among-"+others, "ms", l, ms)
	}
	return nil
}

// together has a command done with several zones at once.
func (b *bench) together(zones []string, verb string) error {
	errs := make([]error, len(zones))
	var all sync.WaitGroup
	for i, zone := range zones {
		all.Go(func() { errs[i] = b.run("zoneadm", "-z", zone, verb) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
