// Package bundles does for svccfg what manifests, profiles and archives say: it reads the files that
// a person names, has package importer do it, and gives what that tells as svccfg's notes.
//
// A directory stands for all manifests below it: what is wrong with one does not keep the others from
// being imported. With -V a manifest that breaks a template is not imported; without, it is a
// warning for who wants to hear much. With -p, what is wrong is written to a file too.
//
// Source of behaviour: svccfg(8).
//
// Who may call: the program svccfg. No goroutines, no locks, no state.
package bundles
