package svcadm

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.4/requests by TestCommands
//shows:3.4/requests-who by TestWho
//shows:3.4/temporary 3.4/milestone 3.6/temporary by TestForGood
//shows:3.6/snapshot-refresh by TestRefresh
