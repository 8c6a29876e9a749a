//go:build !crashpoints

package main

// crashpoint is where a program that was built with the tag crashpoints fails, for tests.
func crashpoint(string) {}
