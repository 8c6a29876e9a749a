package server

import (
	"slices"

	"github.com/linuxzones/zones/contract"
	"github.com/linuxzones/zones/internal/sys"
)

// status is a contract's status as the zone sees it, or the host.
func (s *Server) status(id contract.ID, onHost bool) (contract.Status, bool) {
	st, _, owner, _, ok := s.table.Status(id)
	if !ok {
		return contract.Status{}, false
	}
	if onHost && st.State == contract.Owned {
		st.Holder = int64(owner.Pid)
	}
	st.Initial = s.initial(id, onHost)
	st.Within = s.kernel.Within(id)
	st.Sources = s.kernel.Sources().String()
	// The kernel lists the last member for a moment after its end was told.
	if st.State != contract.Dead && !s.table.Vacant(id) {
		st.Members = s.members(id, onHost)
	}
	return st, true
}

// initial is a contract's first member, as the zone counts or the host.
func (s *Server) initial(id contract.ID, onHost bool) contract.Initial {
	p := s.table.Initial(id)
	if onHost || s.cfg.UIDCount == 0 {
		return contract.Initial{Pid: p.Pid, Start: p.Start}
	}
	if p.ZPid == 0 {
		return contract.Initial{}
	}
	return contract.Initial{Pid: p.ZPid, Start: p.Start}
}

// memberList is a list of members that took long to make.
type memberList struct {
	host, zone []int32
	until      int64
}

// members are the numbers of a contract's members, as the zone counts or the host.
func (s *Server) members(id contract.ID, onHost bool) []int32 {
	onHost = onHost || s.cfg.UIDCount == 0
	begun := sys.Monotonic()
	if c, ok := s.lists[id]; ok && begun < c.until {
		if onHost {
			return c.host
		}
		return c.zone
	}
	delete(s.lists, id)
	host, _, err := s.kernel.Members(id, membersMax)
	if err != nil {
		return nil
	}
	slices.Sort(host)
	var zone []int32
	if s.cfg.UIDCount != 0 {
		zone = s.inZone(host)
	}
	if took := sys.Monotonic() - begun; len(host) >= membersMany {
		s.lists[id] = memberList{host: host, zone: zone, until: begun + membersUse*took}
	}
	if onHost {
		return host
	}
	return zone
}

// inZone are the zone's numbers of processes; those that it does not see have none.
func (s *Server) inZone(pids []int32) []int32 {
	zone := make([]int32, 0, len(pids))
	for _, pid := range pids {
		if c, err := s.kernel.ProcOf(pid); err == nil && c.ZPid != 0 {
			zone = append(zone, c.ZPid)
		}
	}
	slices.Sort(zone)
	return zone
}
