import { describe, expect, it } from 'vitest';
import { mergeExpositions } from '../../src/observability/exposition.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { checkMetrics, hasPromtool } from '../harness/promtool.ts';

function used() {
  const metrics = createMetrics({ version: '1.2.3', role: 'all' });
  metrics.observeRequest({ method: 'GET', route: '/v1/transfers/{id}', status: 200, seconds: 0.02 });
  metrics.countStart('transfers', 'created');
  metrics.countOutcome('transfers', 'completed');
  metrics.observeTemporalRequest('StartWorkflowExecution', 'OK', 0.01);
  metrics.observeTemporalRequest('StartWorkflowExecution', 'UNAVAILABLE', 0.5);
  metrics.setOpenInstances('transfers', 3);
  metrics.setWaitingInstances('delayed-tasks', 'dead-letter', 2);
  metrics.observeFiring('transfers', 'created', 0.2);
  metrics.deliveries.observeAttempt('webhook', { kind: 'failed', reason: 'timeout' }, 15);
  metrics.deliveries.observeAttempt('webhook', { kind: 'deferred' }, 0);
  metrics.countSchemaWait('missing-column');
  metrics.countEagerStart('granted');
  return metrics;
}

describe('the metrics', () => {
  it('count what they are told', async () => {
    const text = await used().text();
    for (const line of [
      'portico_build_info{version="1.2.3",role="all",node="' + process.version + '"} 1',
      'portico_http_request_duration_seconds_bucket{le="0.025",method="GET",route="/v1/transfers/{id}",status="200"} 1',
      'portico_starts_total{process="transfers",idempotency_status="created"} 1',
      'portico_outcomes_total{process="transfers",outcome="completed"} 1',
      'portico_temporal_request_duration_seconds_count{method="StartWorkflowExecution",code="OK"} 1',
      'portico_temporal_request_failures_total{method="StartWorkflowExecution",code="UNAVAILABLE"} 1',
      'portico_open_instances{process="transfers"} 3',
      'portico_instances_waiting{process="delayed-tasks",step="dead-letter"} 2',
      'portico_schedule_firing_seconds_bucket{le="0.25",process="transfers",result="created"} 1',
      'portico_delivery_attempts_total{target="webhook",result="failed",reason="timeout"} 1',
      'portico_delivery_attempts_total{target="webhook",result="deferred",reason="none"} 1',
      'portico_delivery_attempt_duration_seconds_bucket{le="15",target="webhook",result="failed"} 1',
      'portico_delayed_task_dead_letters_total 0',
      'portico_endpoints_gone_total 0',
      'portico_database_schema_waits_total{state="missing-table"} 0',
      'portico_database_schema_waits_total{state="missing-column"} 1',
      'portico_database_schema_waits_total{state="missing-right"} 0',
      'portico_eager_starts_total{result="granted"} 1',
      'process_resident_memory_bytes',
    ]) {
      expect(text).toContain(line);
    }
    expect(text).not.toContain('failures_total{method="StartWorkflowExecution",code="OK"}');
    expect(text).not.toContain('portico_delivery_attempt_duration_seconds_count{target="webhook",result="deferred"}');
  });

  it.runIf(hasPromtool)('satisfy promtool, alone and with those of the Temporal SDK', async () => {
    const own = await used().text();
    expect(checkMetrics(own)).toBe('');
    expect(checkMetrics(mergeExpositions(own, coreText))).toBe('');
  });
});

const coreText = `# HELP temporal_request_latency_seconds Histogram of client request latencies
# TYPE temporal_request_latency_seconds histogram
temporal_request_latency_seconds_bucket{namespace="default",operation="DescribeNamespace",le="0.05"} 1
temporal_request_latency_seconds_bucket{namespace="default",operation="DescribeNamespace",le="+Inf"} 1
temporal_request_latency_seconds_sum{namespace="default",operation="DescribeNamespace"} 0.001402573
temporal_request_latency_seconds_count{namespace="default",operation="DescribeNamespace"} 1
# HELP process_start_time_seconds The same as ours
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1
# HELP temporal_num_pollers Current number of active pollers per queue type
# TYPE temporal_num_pollers gauge
temporal_num_pollers{poller_type="a } odd \\"label\\"",task_queue="q"} NaN 1700000000000
`;

describe('two expositions in one', () => {
  it('keep every family once, ours before theirs', () => {
    const merged = mergeExpositions(
      '# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 7\n',
      coreText,
    );
    expect(merged.match(/^process_start_time_seconds .*/gm)).toEqual(['process_start_time_seconds 7']);
    expect(merged).toContain('temporal_request_latency_seconds_count');
    expect(merged.match(/^# TYPE temporal_num_pollers /gm)).toHaveLength(1);
    expect(merged.endsWith('\n')).toBe(true);
  });

  it.each(['<html>not metrics</html>', 'temporal_x one', '{"error":"x"}'])('are ours alone beside %s', (other) => {
    expect(mergeExpositions('a 1\n', other)).toBe('a 1\n');
  });

  it('are ours alone beside nothing', () => {
    expect(mergeExpositions('a 1\n', '')).toBe('a 1\n');
  });
});
