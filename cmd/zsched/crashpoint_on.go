//go:build crashpoints

package main

// crashpoint fails at each point.
func crashpoint(name string) { panic("crashpoint " + name) }
