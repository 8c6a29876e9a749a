package server

import (
	"slices"

	"github.com/linuxzones/zones/contract"
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
	st.Sources = s.kernel.Sources().String()
	if st.State != contract.Dead {
		st.Members = s.members(id, onHost)
	}
	return st, true
}

// members are the numbers of a contract's members, as the zone counts or the host.
func (s *Server) members(id contract.ID, onHost bool) []int32 {
	pids, _, err := s.kernel.Members(id, membersMax)
	if err != nil {
		return nil
	}
	if !onHost && s.cfg.UIDCount != 0 {
		inZone := pids[:0]
		for _, pid := range pids {
			if c, err := s.kernel.ProcOf(pid); err == nil && c.ZPid != 0 {
				inZone = append(inZone, c.ZPid)
			}
		}
		pids = inZone
	}
	slices.Sort(pids)
	return pids
}
