package instance

// What tests of this room show of the original: see hack/conformance.
//
//shows:3.1/states by TestSimulation
//shows:3.1/next-state by TestStory
//shows:3.1/events by TestRule/3.1/events
//shows:3.1/in-order 3.1/timeouts-go-on by TestOrder
//shows:3.1/enable by TestRule/3.1/events/enable/disabled
//shows:3.1/disable by TestRule/3.1/events/disable/online
//shows:3.1/disable-plain by TestRule/3.1/events/disable/maintenance
//shows:3.1/disable-admin by TestMaintenance
//shows:3.1/disable-forgets by TestRule/3.3/rate-reset/admin-disable
//shows:3.1/disable-forgets by TestRule/3.3/rate-reset/disable
//shows:3.1/start by TestRule/3.1/events/start/offline
//shows:3.1/stop by TestRule/3.1/events/stop/online
//shows:3.1/stop-reset by TestRule/3.3/rate-reset/stop-reset
//shows:3.1/restart by TestRule/3.1/events/admin_restart/online
//shows:3.1/restart by TestRule/3.3/rate-reset/restart
//shows:3.1/restart-dump by TestRule/3.1/causes
//shows:3.1/refresh by TestRule/3.1/events/admin_refresh/online
//shows:3.1/refresh by TestOrder
//shows:3.1/maintenance 3.1/maintenance-at-once 3.1/maintenance-who 3.1/clear 3.1/broken-dependencies by TestMaintenance
//shows:3.1/clear by TestRule/3.3/rate-reset/clear
//shows:3.1/degraded by TestDegraded
//shows:3.1/remove by TestRemoval
//shows:3.1/cause-exit 3.1/exit-spares-error by TestRule/3.1/causes/empty
//shows:3.1/cause-dependency by TestRule/3.1/causes/dependency
//shows:3.1/cause-disable by TestRule/3.1/causes/disable
//shows:3.1/cause-restart by TestRule/3.1/causes/restart
//shows:3.1/cause-logged by TestRule/3.1/causes
//shows:3.1/reasons by TestRule/3.1/reasons
//
//shows:3.2/contract-kept by TestEnds/exit 0/start/contract
//shows:3.2/transient-let-go by TestEnds/exit 0/start/transient
//shows:3.2/start-timeout by TestEnds/time over/start/contract
//shows:3.2/stop-nothing by TestRule/3.3/presence/stop/contract/nothing-runs
//shows:3.2/stop-transient by TestEnds/exit 0/stop/transient
//shows:3.2/child-ends by TestRule/3.2/child
//shows:3.2/child-never-too-quick by TestRule/3.2/throttle/error
//shows:3.2/child-signal by TestRule/3.2/throttle/signal
//shows:3.2/child-missing by TestRule/3.2/missing
//shows:3.2/transfer by TestRule/3.3/transfer
//
//shows:3.3/no-group by TestRule/3.3/presence/refresh/contract/no-group
//shows:3.3/no-group by TestRule/3.3/presence/start/contract/no-group
//shows:3.3/no-exec by TestRule/3.3/presence/start/contract/no-exec
//shows:3.3/tokens-bad by TestRule/3.3/presence/start/contract/bad
//shows:3.3/true by TestRule/3.3/presence/start/contract/true
//shows:3.3/kill by TestRule/3.3/presence/stop/contract/kill
//shows:3.3/kill-transient by TestRule/3.3/presence/stop/transient/kill
//shows:3.3/executing 3.3/log-enabled by TestStory
//shows:3.3/log-enabled by TestMaintenance
//shows:3.3/status-logged by TestRule/3.3/start/contract/exit1
//shows:3.3/status-logged by TestRule/3.3/stop/contract/SIGTERM
//shows:3.3/retry-reset 3.3/retry-cleared by TestRule/3.3/faults
//shows:3.3/timeout by TestRule/3.3/start/contract/timeout
//shows:3.3/stop-opens by TestRule/3.3/presence/stop/contract/not-opened
//shows:3.3/stop-waits by TestRule/3.3/stop-waits/empties
//shows:3.3/stop-time by TestRule/3.3/stop-waits/times-out
//shows:3.3/stop-kill-time by TestRule/3.3/stop-kill
//shows:3.3/stop-failed by TestRule/3.3/stop-waits/failed-does-not-wait
//shows:3.3/stop-unkillable by TestRule/3.3/stop-waits/can-not-be-killed
//shows:3.3/contract-after-stop by TestRule/3.3/transfer/disabled
//shows:3.3/contract-after-stop by TestRule/3.3/transfer/maintenance
//shows:3.3/contract-after-failed-start by TestEnds/exit 1/start/contract
//shows:3.3/rate by TestRule/3.3/rate/default
//shows:3.3/rate-count by TestRule/3.3/rate/eleven-is-default
//shows:3.3/rate-count by TestRule/3.3/rate/three-in-ten
//shows:3.3/rate-one by TestRule/3.3/rate/one-is-two
//shows:3.3/rate-retries by TestRule/3.3/rate/retries-count
//shows:3.3/rate-retries by TestRule/3.3/rate/true-does-not
//shows:3.3/rate-reset by TestRule/3.3/rate-reset
//shows:3.3/rate-backoff by TestBackoff
//
//shows:3.5/trusts by TestRecovered/3.5/online
//shows:3.5/contract-gone by TestRecovered/3.5/contract-gone
//shows:3.5/child by TestRecovered/3.5/online-child
//shows:3.5/maintenance by TestRecovered/3.5/maintenance
//shows:3.5/in-flight by TestRecoveredStart
//shows:3.5/stop-in-flight by TestRecovered/3.5/stop-not-begun
