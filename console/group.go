package console

import "sync"

// group owns goroutines: none is started but through it, and wait returns when all ended.
type group struct{ wg sync.WaitGroup }

func (g *group) start(f func()) { g.wg.Go(f) }
func (g *group) wait()          { g.wg.Wait() }
