// Package tree is the configuration of services as data: what a manifest describes, what a
// repository holds, and what an upgrade compares. Lists are in the order of names, so that
// equal configurations are equal values.
//
// Source of behaviour: smf(7). Pure: no goroutines, no locks.
package tree
