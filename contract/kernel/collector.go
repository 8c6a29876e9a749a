package kernel

import (
	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/contract/table"
)

// Collector is the zone's end of the BPF collector.
type Collector interface {
	// FD is readable when Read has something.
	FD() int
	// Register has the events of a contract's directory told.
	Register(d Dir, want contract.Events) error
	// Forget ends that.
	Forget(d Dir) error
	// Read gives one record; ok is false when there is none now.
	Read() (r Record, ok bool, err error)
	// Keep says that all up to p is kept.
	Keep(p Position)
	// Lost counts records that had no place, since the collector began.
	Lost() (uint64, error)
	Close() error
}

// Record is one of the collector's.
type Record struct {
	CT   contract.ID
	Fact table.Fact
	Time int64
	At   Position
}

// readCollector tells of one record; false when there is none.
func (z *Zone) readCollector() (bool, error) {
	r, ok, err := z.c.Collector.Read()
	if err != nil || !ok {
		return false, err
	}
	z.tell(Report{What: Happened, CT: r.CT, Fact: r.Fact, Time: r.Time, At: r.At})
	return true, nil
}
