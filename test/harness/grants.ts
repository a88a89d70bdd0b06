import { randomUUID } from 'node:crypto';
import { createUserGrantActivities } from '../../activities/user-grants.ts';
import { createInbox } from '../../src/adapters/inbox.ts';
import type { UserGrantOutput } from '../../src/catalog/user-grants.ts';
import { openTestDatabase } from '../servers/database.ts';
import { type CallHandling, controlCalls } from './adapter-calls.ts';
import { createMessages, starter } from './instance-messages.ts';
import { until } from './until.ts';
import { openWorkers } from './workers.ts';

export type GrantCall = 'sendMessage' | 'grantDiscount';

export interface GrantOptions {
  /** `1990-05-31` is an adult's. */
  readonly birthDate?: string;
  readonly locale?: string;
  /** Another implementation than the first. */
  readonly workflow?: string;
  readonly calls?: { readonly [Call in GrantCall]?: CallHandling };
  /** Not given: a worker with the released workflows, which all share. */
  readonly taskQueue?: string;
  readonly generation?: number;
  /** The user whose grant this is again, as after Temporal has forgotten the first. */
  readonly after?: { readonly userId: string };
}

/** Grants of users, through the real workflow, activities, inbox, database and server. */
export async function openGrants({ address }: { address: string }) {
  const tenant = `tenant-${randomUUID().slice(0, 8)}`;
  const [workers, storage] = await Promise.all([openWorkers({ address }), openTestDatabase('embedded')]);
  const inbox = createInbox(storage.database);
  const controlled = controlCalls(inbox, ({ userId }: { userId: string }) => userId);
  const activities = createUserGrantActivities({ inbox: controlled.adapter });
  const startWorker = (options: { workflowsPath?: string; taskQueue?: string } = {}) =>
    workers.startWorker({ activities, ...options });
  let shared: Promise<{ taskQueue: string }> | undefined;

  async function begin(begun: GrantOptions = {}) {
    const { birthDate, locale, calls = {}, generation = 1, workflow = 'userGrants' } = begun;
    const userId = begun.after?.userId ?? `user-${randomUUID().slice(0, 8)}`;
    for (const [call, how] of Object.entries(calls)) controlled.handle(userId, call, how);
    const handle = await workers.start({
      workflow,
      processName: 'user-grants',
      taskQueue: begun.taskQueue ?? (await (shared ??= startWorker())).taskQueue,
      firstStep: 'congratulating',
      input: { userId, name: 'Ada', birthDate, locale },
      context: { tenant, key: userId, generation, startedBy: starter, fingerprint: `f1.${userId}` },
    });
    return {
      ...createMessages(handle),
      handle,
      userId,
      result: (): Promise<UserGrantOutput> => handle.result(),
      read: () => workers.read(handle),
      callsOf: (call: GrantCall) => controlled.callsOf(userId, call),
      reaches: (step: string) =>
        until(
          () => workers.read(handle),
          (seen) => seen.step === step,
        ),
      /** What the user has, in order. */
      effects: async () => {
        const page = { tenant, userId, limit: 100 };
        const [messages, discounts] = [await inbox.listMessages(page), await inbox.listDiscounts(page)];
        return {
          messages: messages.items.map(({ kind }) => kind),
          titles: messages.items.map(({ title }) => title),
          discounts: discounts.items.map(({ kind, percent }) => ({ kind, percent })),
        };
      },
    };
  }

  return {
    workers,
    startWorker,
    begin,
    async close(): Promise<void> {
      await workers.close();
      await storage.close();
    },
  };
}

export type Grants = Awaited<ReturnType<typeof openGrants>>;
