import { z } from 'zod';
import { batchOperationOf } from '../../src/operations/batch.ts';
import type { Answer, Call, Operation } from '../../src/operations/operation.ts';
import { appKey, startApp } from '../harness/app.ts';
import { mintToken } from '../tokens/tokens.ts';
import { probe } from './thing-operations.ts';

type AppOptions = NonNullable<Parameters<typeof startApp>[0]>;

interface Job {
  readonly id: string;
  readonly n: number;
}

/** Decides how an item is answered. */
type Behaviour = (job: Job, call: Call) => Promise<Answer> | Answer;

/** What an item of jobs is answered with unless a test wants otherwise; the schema does not name `hidden`. */
export const done = ({ id, n }: Job): Answer => ({ status: 200, body: { id, n, hidden: 'canary' } });

const params = z.object({ id: z.string().regex(/^[a-z0-9-]+$/) });
const body = z.strictObject({ id: z.string(), n: z.number(), more: z.unknown().optional() });
const responses = {
  200: { description: 'Done.', body: z.strictObject({ id: z.string(), n: z.number() }), headers: ['Location'] },
} as const;

/** A process of jobs: each has a start, and `poke` that needs a key. */
function jobOperations(behave: Behaviour): Operation[] {
  const common = { method: 'POST', process: 'jobs', query: undefined, responses } as const;
  const start: Partial<Operation> = {
    ...common,
    permission: 'things:start',
    cost: 'start',
    body,
    understands: ['prefer-wait'],
    maxBodyBytes: 1_000,
    instanceOf: (call) => (call.body as Job).id,
  };
  const poke: Partial<Operation> = {
    ...common,
    permission: 'things:poke',
    cost: 'action',
    params,
    body: body.partial(),
    bodyIsOptional: true,
    requires: ['idempotency-key'],
  };
  const jobOf = (call: Call): Job => ({ n: 0, id: call.params['id'] ?? '', ...(call.body as Partial<Job>) });
  const handle: Operation['handle'] = async (call) => behave(jobOf(call), call);
  return [
    withoutQuery(probe({ operationId: 'startJob', path: '/v1/jobs', handle, ...start })),
    withoutQuery(probe({ operationId: 'pokeJob', path: '/v1/jobs/{id}/poke', handle, ...poke })),
    probe({ operationId: 'getJob', path: '/v1/jobs/{id}', process: 'jobs', params, handle }),
  ];
}

const withoutQuery = ({ query: _, ...operation }: Operation): Operation => operation;

export const startJob = (id: string, n = 0, more?: unknown) => ({ operation: 'startJob', body: { id, n, more } });
export const pokeJob = (id: string, n = 0) => ({ operation: 'pokeJob', id, idempotencyKey: `k-${n}`, body: { n } });

export const linesOf = (items: readonly unknown[]): string => items.map((item) => JSON.stringify(item)).join('\n');

/** One answer of a batch. */
export interface Answered {
  readonly status: number;
  readonly retryAfterMs?: number;
  readonly location?: string;
  readonly body: { readonly [name: string]: unknown };
}

/** An app that serves jobs and batches of them. */
export async function startJobs(
  behave: Behaviour = done,
  { times, ...options }: Omit<AppOptions, 'operations'> & { times?: Parameters<typeof batchOperationOf>[1] } = {},
) {
  const jobs = jobOperations(behave);
  const api = await startApp({ ...options, operations: [...jobs, batchOperationOf(jobs, times)] });
  const authorizationOf = (claims: object) =>
    `Bearer ${mintToken(appKey, { permissions: ['things:start', 'things:poke'], ...claims })}`;

  /** Sends a text or bytes, or items as an array. */
  const post = (sent: unknown, { type = 'application/json', claims = {}, ...init }: Sending = {}) =>
    fetch(`${api.url}/v1/batch`, {
      ...init,
      method: 'POST',
      headers: { 'Content-Type': type, Authorization: authorizationOf(claims), ...init.headers },
      body: typeof sent === 'string' || sent instanceof Uint8Array ? sent : JSON.stringify(sent),
    });
  return {
    ...api,
    authorizationOf,
    post,
    /** The answers to an array of items; throws unless the batch is a 200. */
    async batch(items: unknown, sending?: Sending): Promise<Answered[]> {
      const response = await post(items, sending);
      const text = await response.text();
      if (response.status !== 200) throw new Error(`the batch was answered ${response.status}: ${text}`);
      return JSON.parse(text) as Answered[];
    },
  };
}

type Sending = Omit<RequestInit, 'headers'> & {
  readonly type?: string;
  readonly claims?: object;
  readonly headers?: Readonly<Record<string, string>>;
};
