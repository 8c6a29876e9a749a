package fuse

func clientMain() int { return 0 }
