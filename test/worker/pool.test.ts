import { describe, expect, it } from 'vitest';
import { settings } from '../../src/config/settings.ts';
import { type PoolOptions, workerOptionsOf } from '../../src/worker/pool.ts';

const options = (actionDeadlineMs: number): PoolOptions => ({
  namespace: 'default',
  taskQueues: ['money'],
  workflowBundle: { code: '' },
  activities: {},
  countOutcome: () => undefined,
  slots: { workflowTasks: 7, activities: 8, cachedWorkflows: 9 },
  actionDeadlineMs,
  shutdown: { graceMs: 1, forceMs: 2 },
});

describe('a worker', () => {
  it('takes as much at once as the settings say', () => {
    expect(workerOptionsOf('money', options(3_000))).toMatchObject({
      taskQueue: 'money',
      maxConcurrentWorkflowTaskExecutions: 7,
      maxConcurrentActivityTaskExecutions: 8,
      maxCachedWorkflows: 9,
    });
  });

  it('has room for as many workflow tasks beside its polls as starts may be eager at once', () => {
    const { PORTICO_WORKFLOW_SLOTS: slots, PORTICO_CACHED_WORKFLOWS: cached } = settings.parse({
      ROLE: 'worker',
      DATABASE_URL: 'postgres://a@b/c',
    });
    const [polls, eagerStarts] = [10, 32];
    // Each start is followed by the tasks of the instances before it.
    expect(slots).toBeGreaterThanOrEqual(polls + 2 * eagerStarts);
    // The SDK lowers the slots to what it may keep.
    expect(cached).toBeGreaterThanOrEqual(slots);
  });

  it.each([
    [3_000, 1_500],
    // A busy worker needs no more, and what waits for one that is gone goes on.
    [30_000, 5_000],
    [100, 500],
  ])(
    'keeps an action with a deadline of %i ms for the worker that knows the instance for %i ms',
    (deadline, sticky) => {
      expect(workerOptionsOf('money', options(deadline)).stickyQueueScheduleToStartTimeout).toBe(sticky);
    },
  );
});
