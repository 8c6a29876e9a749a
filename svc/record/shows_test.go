package record_test

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.4/group 3.4/state 3.4/auxiliary 3.4/contracts 3.4/start 3.4/method-pid 3.4/logs by TestGroup
