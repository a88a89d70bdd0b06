import { until } from './until.ts';

/** The requests to Temporal that a process has counted so far, by method; those under way are not among them. */
export async function temporalRequests(adminUrl: string): Promise<Record<string, number>> {
  const text = await (await fetch(new URL('/metrics', adminUrl))).text();
  const counts: Record<string, number> = {};
  const samples = /^portico_temporal_request_duration_seconds_count\{method="(\w+)",[^}]*\} (\d+)/gm;
  for (const [, method = '', count] of text.matchAll(samples)) counts[method] = (counts[method] ?? 0) + Number(count);
  return counts;
}

/** Begins `ask`, a wait for a result, and resolves once its first read is over and it waits. */
export async function underWay<T>(adminUrl: string, ask: () => Promise<T>): Promise<{ answer: Promise<T> }> {
  const reads = async () => (await temporalRequests(adminUrl))['DescribeWorkflowExecution'] ?? 0;
  const before = await reads();
  const answer = ask();
  answer.catch(() => undefined);
  await until(reads, (count) => count > before);
  return { answer };
}
