package actions

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.4/requests 3.4/requests-who by TestOf
//shows:3.4/requests-done by TestAskAndTook
