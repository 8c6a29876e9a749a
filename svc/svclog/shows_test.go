package svclog

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.3/log-line 3.3/log-name by TestLine
//shows:3.3/log-early by TestEarly
