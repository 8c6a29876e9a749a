// Package upgrade decides what the import of a manifest changes in a service that is there
// already: the three-way upgrade of svccfg(8). It compares what the manifest says now (New), what
// it said when it was imported last (Old, the "last-import" snapshot), and what is there
// (Current, which an administrator may have changed).
//
// The rule, for every property: what the manifest did not change is the administrator's; what
// the administrator did not change is the manifest's; what both changed in the same way is no
// matter; and what both changed differently stays as it is, and is told (a conflict), unless the
// manifest overrides. What is not there is a value like any other. Groups are compared as wholes
// where they come or go, and property by property otherwise. A dependency is one thing: its
// properties make no sense apart.
//
// It is pure: it says what to do (Step), and what a person should hear (Note). Steps are in an
// order in which they can be done, and doing them twice changes nothing, since the second
// comparison finds nothing to do.
//
// Never upgraded: general/enabled and general/restarter, which are the administrator's.
package upgrade
