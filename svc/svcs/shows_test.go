package svcs

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.1/next-state-shown by TestTable
//shows:3.1/reason-shown by TestReasons
//shows:3.6/explain by TestRoots
//shows:3.6/explain by TestRootsAreCauses
