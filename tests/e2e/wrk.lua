-- SPDX-License-Identifier: GPL-2.0-or-later
-- A connection asks, waits 20 ms, asks again; what became of all goes to standard error as JSON.

function delay()
	return 20
end

function done(summary, latency, requests)
	local e = summary.errors
	io.stderr:write(string.format(
		'{"requests": %d, "failed": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d, "p99_ms": %.1f, "max_ms": %.1f}\n',
		summary.requests, e.connect + e.read + e.write + e.timeout + e.status, e.connect, e.read, e.write, e.timeout,
		e.status, latency:percentile(99) / 1000, latency.max / 1000))
end
