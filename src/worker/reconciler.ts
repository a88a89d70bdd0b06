import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ProcessDefinition } from '../definition/definition.ts';
import { lateRowMs, type Reconciliation, type Unresolved } from '../definition/permanent-row.ts';
import type { Gateway } from '../orchestration/gateway.ts';

/**
 * What became of one instance at one look. `told-final`: callers were told its end, so that people decide. `left`: it was
 * held back, claimed by another or ended meanwhile.
 */
export type Reconciled = 'running' | 'resumed' | 'started' | 'reported' | 'told-final' | 'left' | 'failed';

interface ReconcilerOptions {
  readonly definition: ProcessDefinition;
  readonly reconciliation: Reconciliation;
  readonly gateway: Pick<Gateway, 'conditionOf' | 'resume' | 'start'>;
  readonly count: (result: Reconciled) => void;
  readonly logger: Logger;
}

const batch = 20;
const batchesOfSweep = 10;
/** Longer than all calls of one batch together. A reconciler that died holds its claims so long. */
const leaseMs = 120_000;
/** An instance that stops again and again is resumed ever more rarely. */
const longestPauseMs = 24 * 3_600_000;

/**
 * Sweeps the permanent rows of a process that have no outcome, and resumes their instances where these have stopped. It
 * never touches money: what an instance does once it goes on is decided by its own code and by the rows.
 */
export function startReconciler(options: ReconcilerOptions): { stop(): Promise<void> } {
  const { reconciliation, logger } = options;
  const stopping = new AbortController();
  const { signal } = stopping;

  async function run(): Promise<void> {
    for (;;) {
      await sleep(reconciliation.everyMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await sweep(options, signal).catch((error: unknown) =>
        logger.warn({ err: error }, 'unresolved instances could not be looked at'),
      );
    }
  }
  const running = run();

  return {
    /** Lets the look under way finish. */
    async stop(): Promise<void> {
      stopping.abort();
      await running;
    },
  };
}

async function sweep(options: ReconcilerOptions, signal: AbortSignal): Promise<void> {
  const { rows, ageMs } = options.reconciliation;
  for (let round = 0; round < batchesOfSweep && !signal.aborted; round += 1) {
    const claimed = await rows.claim({ olderThanMs: ageMs, leaseMs, limit: batch });
    await Promise.all(claimed.map((unresolved) => lookAt(options, unresolved)));
    if (claimed.length < batch) return;
  }
}

async function lookAt(options: ReconcilerOptions, unresolved: Unresolved): Promise<void> {
  const { definition, logger, reconciliation, count } = options;
  const { tenant, key, openedAt } = unresolved;
  const facts = { process: definition.name, tenant, key, openedAt };
  let result: Reconciled;
  try {
    result = await reconcile(options, unresolved);
  } catch (error) {
    // Whatever it was, the next sweep looks again.
    logger.warn({ ...facts, err: error }, 'an unresolved instance could not be resumed');
    result = 'failed';
  }
  count(result);
  if (result !== 'running' && result !== 'failed') logger.warn({ ...facts, result }, 'an instance had stopped');
  const forMs = result === 'failed' ? reconciliation.everyMs : pauseMs(unresolved, reconciliation);
  await reconciliation.rows
    .putOff(unresolved, { forMs, found: result })
    .catch((error: unknown) => logger.warn({ ...facts, err: error }, 'a claim could not be ended'));
}

const pauseMs = ({ resumed }: Unresolved, { ageMs }: Reconciliation): number =>
  Math.min(Math.max(longestPauseMs, ageMs), ageMs * 2 ** Math.min(resumed, 20));

async function reconcile(options: ReconcilerOptions, unresolved: Unresolved): Promise<Reconciled> {
  const { definition, gateway, reconciliation } = options;
  const { tenant, key } = unresolved;
  const address = { definition, tenant, key };
  // Its deadline bounds the call. The client would never let go of a signal that lives as long as the process.
  const condition = await gateway.conditionOf(address);
  if (condition.kind === 'running') return 'running';
  // Temporal forgets who closed an instance, and what callers were told is true for ever.
  if (unresolved.toldFinal) return 'told-final';
  const isOfOtherPayload = condition.kind === 'closed' && isConflict(definition, condition.snapshot);
  const way = condition.kind === 'forgotten' || isOfOtherPayload ? 'start' : 'resume';
  if (way === 'resume' && condition.kind === 'closed' && !mayResume(condition.snapshot, unresolved)) {
    return 'told-final';
  }
  if (reconciliation.mode === 'report') return 'reported';
  if (!(await reconciliation.rows.takeUp(unresolved, leaseMs))) return 'left';
  if (way === 'resume' && condition.kind === 'closed') {
    await gateway.resume(address, condition.token);
    return 'resumed';
  }
  const { input, fingerprint, startedBy } = unresolved;
  const { kind } = await gateway.start({
    ...address,
    input,
    body: input,
    fingerprint,
    startedBy,
    replacesClosed: isOfOtherPayload,
  });
  if (kind === 'created') return 'started';
  if (kind === 'joined') return 'running';
  throw new Error(`the instance was not started: ${kind}`);
}

type Snapshot = Extract<Awaited<ReturnType<Gateway['conditionOf']>>, { kind: 'closed' }>['snapshot'];

const isConflict = ({ permanentRow }: ProcessDefinition, { endedBy, outcome }: Snapshot): boolean =>
  endedBy === 'process' && outcome === permanentRow?.conflict;

/**
 * An instance that ended by its own word was told as final, and the row has lost its end: that is for people. The same
 * holds for a row that was written so late that its instance had been told as final before.
 */
function mayResume({ endedBy, closedAt }: Snapshot, { openedAt }: Unresolved): boolean {
  return endedBy === 'engine' && closedAt !== undefined && openedAt.getTime() < Date.parse(closedAt) + lateRowMs;
}
