package launch

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.2/names 3.2/transfer 3.2/inherit-regent by TestStart/contract
//shows:3.3/shell 3.3/no-shell by TestStart/shell
//shows:3.3/environment 3.3/descriptors 3.3/umask 3.3/session 3.3/context-user 3.3/context-dir by TestStart/process
//shows:3.3/context-privileges by TestContext/privileges
//shows:3.3/context-core 3.3/context-secflags by TestContext/limits
//shows:3.3/context-96 3.3/context-1 3.3/context-dir by TestContext/faults
//shows:3.3/fork-again by TestContext/no more processes
