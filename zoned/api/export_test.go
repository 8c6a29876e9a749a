package api

import "time"

// SetOutageMax shortens the patience of clients until the result is called.
func SetOutageMax(d time.Duration) (restore func()) {
	was := outageMax
	outageMax = d
	return func() { outageMax = was }
}

// SetScope says which program stands for systemd-run; empty: a host without systemd.
func (s *Spawner) SetScope(program string) { s.scope = &program }

// SetScopeTimeMax shortens the patience with systemd until the result is called.
func SetScopeTimeMax(d time.Duration) (restore func()) {
	was := scopeTimeMax
	scopeTimeMax = d
	return func() { scopeTimeMax = was }
}

// Home is where a zone's supervisor is born; empty where the host has no such place.
func (s *Spawner) Home(zone string) string { return s.homeDir(zone) }

// UnmakeHome takes it away when it is empty.
func (s *Spawner) UnmakeHome(zone string) { s.unmakeHome(zone) }
