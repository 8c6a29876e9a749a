package launch

// What tests of this room show of the original: see hack/conformance. Their subtests are run in a
// process of its own, of which nobody hears by name.
//
//shows:3.2/names 3.2/transfer 3.2/inherit-regent by TestStart
//shows:3.3/shell 3.3/no-shell by TestStart
//shows:3.3/environment 3.3/descriptors 3.3/umask 3.3/session 3.3/context-user 3.3/context-dir by TestStart
//shows:3.3/context-privileges by TestContext
//shows:3.3/context-core 3.3/context-secflags by TestContext
//shows:3.3/context-96 3.3/context-1 3.3/context-dir by TestContext
//shows:3.3/fork-again by TestContext
