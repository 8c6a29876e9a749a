package restarter

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.1/restart 3.1/maintenance 3.1/clear 3.1/remove 3.4/requests-done by TestRestarts
//shows:3.1/maintenance-temporary 3.2/inherit-regent 3.2/names 3.4/before by TestNotedBefore
//shows:3.2/child-missing by TestMissing
//shows:3.3/fork-again by TestNoProcesses
//shows:3.3/logging by TestLogging
//shows:3.3/snapshot-none 3.4/immediate 3.6/snapshot-refresh by TestRunningSnapshot
//shows:3.4/milestone 3.6/milestone-none 3.6/milestone-all 3.6/milestone-outside by TestMilestoneOfBoot
//shows:3.4/requests-done by TestRequestSurvives
//shows:3.5/adopts 3.5/child 3.5/in-flight by TestSucceeded
//shows:3.6/snapshot-first 3.6/snapshot-start by TestSnapshotsOfItsOwn
//shows:3.6/start-when-satisfied by TestOrder
//shows:3.6/file-looked-at by TestFileDependency
//shows:3.6/invalid-restarter by TestInvalidRestarter
//shows:3.6/shutdown by TestDown
