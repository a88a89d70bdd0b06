import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Attempt } from '../../src/adapters/attempt.ts';
import { type DelayedTask, type DelayedTasks, openDelayedTasks } from '../harness/delayed-tasks.ts';
import { inParallel } from '../harness/in-parallel.ts';
import { createRandom, scaled } from '../harness/random.ts';
import { temporalAddress } from '../servers/temporal.ts';

/**
 * Racing run-now, reschedule, cancel and the timer: exactly one delivery or none, and every caller is told the truth. The
 * moments are random and near the time at which the task is due.
 */
const random = createRandom();
let tasks: DelayedTasks;
beforeAll(async () => {
  tasks = await openDelayedTasks({ address: temporalAddress() });
});
afterAll(() => tasks.close());

type Action = 'run-now' | 'reschedule' | 'cancel';

interface Move {
  readonly action: Action;
  readonly atMs: number;
  /** Of a rescheduling. */
  readonly inMs: number;
}

interface Plan {
  readonly dueInMs: number;
  /** How many attempts fail before one delivers. */
  readonly failures: number;
  readonly attemptMs: number;
  readonly moves: readonly Move[];
}

const drawPlan = (): Plan => {
  const dueInMs = random.between(0, 250);
  return {
    dueInMs,
    failures: Math.max(0, random.between(-2, 1)),
    attemptMs: random.between(0, 40),
    moves: Array.from({ length: random.between(1, 5) }, () => ({
      action: (['run-now', 'reschedule', 'cancel'] as const)[random.between(0, 2)] ?? 'cancel',
      atMs: Math.max(0, dueInMs + random.between(-60, 60)),
      inMs: random.between(0, 200),
    })),
  };
};

interface Told extends Move {
  readonly answer: unknown;
}

async function play({ dueInMs, failures, attemptMs, moves }: Plan) {
  const ended: { kind: Attempt['kind']; atMs: number }[] = [];
  const task = await tasks.begin({
    dueInMs,
    delays: [30],
    receiver: async (attempt) => {
      await sleep(attemptMs);
      const kind = attempt <= failures ? 'failed' : 'delivered';
      ended.push({ kind, atMs: Date.now() });
      return kind === 'failed' ? { kind, reason: 'status', status: 503 } : { kind };
    },
  });
  const ask = (move: Move) => (move.action === 'reschedule' ? task.reschedule(move.inMs) : task.ask(move.action));
  const told = await Promise.all(
    moves.map(async (move): Promise<Told> => {
      await sleep(move.atMs);
      return { ...move, answer: await ask(move) };
    }),
  );
  return { task, told, ended, result: await task.result() };
}

const wasAccepted = ({ answer }: Told): boolean => typeof answer === 'object';

function judge({ task, told, ended, result }: Awaited<ReturnType<typeof play>> & { task: DelayedTask }): void {
  const delivered = ended.filter(({ kind }) => kind === 'delivered').length;
  const accepted = (action: Action) => told.filter((each) => each.action === action && wasAccepted(each));
  const refused = (action: Action) => told.filter((each) => each.action === action && !wasAccepted(each));

  // Exactly one delivery or none, and none after it.
  expect(delivered).toBe(result.outcome === 'delivered' ? 1 : 0);
  if (delivered === 1) expect(ended.at(-1)?.kind).toBe('delivered');
  expect(['delivered', 'cancelled']).toContain(result.outcome);
  expect(result.attempts).toBe(task.received.length);

  // A cancel that was accepted holds, and one that was refused lost to a delivery or to another cancel.
  expect(result.outcome === 'cancelled').toBe(accepted('cancel').length > 0);
  for (const { answer } of refused('cancel')) expect(answer).toBe('too-late');

  // Each run-now that was accepted had an attempt of its own.
  expect(task.received.length).toBeGreaterThanOrEqual(accepted('run-now').length);
  for (const { answer } of refused('run-now')) expect(['too-late', 'action-not-allowed']).toContain(answer);

  // A task is never early: only a run-now makes its attempt begin before the time that was set last.
  for (const { answer } of refused('reschedule')) expect(answer).toBe('too-late');
  const [first] = task.received;
  if (first === undefined || accepted('run-now').length > 0) return;
  const times = [Date.parse(task.details.dueAt), ...accepted('reschedule').map(({ answer }) => dueAtMsIn(answer))];
  expect(first.atMs).toBeGreaterThanOrEqual(Math.min(...times));
  expect(Date.parse((JSON.parse(first.body) as { dueAt: string }).dueAt)).toBeLessThanOrEqual(first.atMs);
}

const dueAtMsIn = (answer: unknown): number => Date.parse((answer as { dueAt: string }).dueAt);

it('of all that race, one wins, and every caller is told the truth', async () => {
  const plans = Array.from({ length: scaled(150) }, drawPlan);
  const played = await inParallel(15, plans, play);
  played.forEach((each, index) => {
    try {
      judge(each);
    } catch (error) {
      console.error(
        'the plan that failed:',
        JSON.stringify({ plan: plans[index], told: each.told, result: each.result }),
      );
      throw error;
    }
  });
  const all = played.flatMap(({ told }) => told);
  const count = (action: Action, isAccepted: boolean) =>
    all.filter((each) => each.action === action && wasAccepted(each) === isAccepted).length;
  const counts = {
    seed: random.seed,
    tasks: played.length,
    delivered: played.filter(({ result }) => result.outcome === 'delivered').length,
    ...Object.fromEntries(
      (['run-now', 'reschedule', 'cancel'] as const).flatMap((action) => [
        [`${action} accepted`, count(action, true)],
        [`${action} refused`, count(action, false)],
      ]),
    ),
  };
  console.log(JSON.stringify(counts));
  // Both sides of each race were seen.
  for (const seen of Object.values(counts)) expect(seen).toBeGreaterThan(0);
});
