package vplat

func (p *plan) filesystems() error { return nil }
