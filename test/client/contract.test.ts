import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CloudEvent, createPortico, PorticoProblem } from '../../client/src/index.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';

let server: Portico;

beforeAll(async () => {
  server = await startPortico();
  await server.untilReady();
  await server.openAccounts('acme', 'globex');
});
afterAll(() => server.stop());

const clientFor = (subject: string) =>
  createPortico({ baseUrl: server.url ?? '', token: () => server.tokenFor({ subject }) });

const transferOf = (transferId: string, minor = '100') => ({
  ...{ transferId, from: 'acme', to: 'globex' },
  amount: { currency: 'EUR' as const, minor },
});

/** More than passes without an approval. */
const large = '2000000';

const problemOf = async (call: Promise<unknown>): Promise<PorticoProblem> => {
  const failure: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failure instanceof PorticoProblem) return failure;
  throw new Error('a problem was expected', { cause: failure });
};

describe('the client and Portico', () => {
  it('start an instance once, and wait for its end', async () => {
    const portico = clientFor('alice');
    const transfer = transferOf(unique('transfer'));
    const started = await portico.transfers.start(transfer);
    expect(started).toMatchObject({ id: transfer.transferId, idempotencyStatus: 'created' });
    const ended = await portico.transfers.result(transfer.transferId, { timeoutMs: 60_000 });
    if (ended.status !== 'closed' || !('result' in ended) || ended.result?.outcome !== 'completed') {
      throw new Error('the transfer was to be completed');
    }
    expect(ended.result.amount).toEqual(transfer.amount);
    const again = await portico.transfers.start(transfer);
    expect(again).toMatchObject({ idempotencyStatus: 'replayed', outcome: 'completed' });
    const other = await problemOf(portico.transfers.start({ ...transfer, from: 'globex', to: 'acme' }));
    expect(other).toMatchObject({ status: 422, code: 'idempotency-mismatch', retry: { effect: 'none' } });
  });

  it('tell what still runs, and end it by an action', async () => {
    const transfer = { ...transferOf(unique('transfer'), large), requestedBy: 'carol' };
    const id = transfer.transferId;
    await clientFor('carol').transfers.start(transfer);
    expect(await clientFor('carol').transfers.result(id, { timeoutMs: 500 })).toMatchObject({ status: 'running' });
    await until(
      () => clientFor('bob').transfers.get(id),
      ({ step }) => step === 'awaiting-approval',
    );
    const own = await problemOf(clientFor('carol').transfers.approve(id));
    expect(own).toMatchObject({ status: 403, code: 'second-person-required' });
    const approved = await clientFor('bob').transfers.approve(id, {}, { waitMs: 20_000 });
    expect(approved).toMatchObject({ id, output: {} });
    expect(await clientFor('bob').transfers.result(id, { timeoutMs: 60_000 })).toMatchObject({ outcome: 'completed' });
  });

  it('read lists by pages and to their end', async () => {
    const portico = clientFor('alice');
    const payer = unique('payer');
    await portico.accounts.put(payer, { currency: 'EUR', openingBalance: { minor: '100' } });
    const ids = ['a', 'b', 'c'].map((letter) => unique(`listed-${letter}`));
    const wanted = [...ids].sort();
    for (const id of ids) await portico.transfers.start({ ...transferOf(id, '1'), from: payer }, { waitMs: 20_000 });
    const list = portico.transfers.list({ from: payer, limit: 2 });
    async function found(): Promise<string[]> {
      const seen = new Set<string>();
      for await (const { id } of list) seen.add(id);
      return [...seen].sort();
    }
    await until(found, (seen) => seen.length === ids.length);
    expect(await found()).toEqual(wanted);
    const { items, cursor } = await list.page();
    expect(items).toHaveLength(2);
    if (cursor === undefined) throw new Error('there is a second page');
    const rest = await portico.transfers.list({ from: payer, limit: 2, cursor }).page();
    expect([...items, ...rest.items].map(({ id }) => id).sort()).toEqual(wanted);
  });

  it('send a batch, whose items fail alone', async () => {
    const transfer = transferOf(unique('batch'));
    const answers = await clientFor('alice').batch([
      { operation: 'startTransfer', body: transfer },
      { operation: 'cancelTransfer', id: unique('nobody') },
      { operation: 'startTransfer', body: transferOf(unique('batch'), '0') },
    ]);
    expect(answers.map(({ status }) => status)).toEqual([202, 404, 400]);
    expect(answers[0]).toMatchObject({
      idempotencyStatus: 'created',
      location: `/v1/transfers/${transfer.transferId}`,
    });
    expect(answers[1]?.body).toMatchObject({ code: 'not-found', retryable: false });
  });

  it('send events, one by itself and many at once', async () => {
    const { events } = clientFor('alice');
    const eventOf = (type: 'portico.user.created' | 'portico.transfer.requested', data: object) =>
      ({ specversion: '1.0', id: unique('event'), source: 'https://users.example/', type, data }) as CloudEvent;
    const created = eventOf('portico.user.created', { userId: unique('user'), name: 'Ann' });
    expect(await events.send(created)).toMatchObject({ idempotencyStatus: 'created' });
    expect(await events.send(created)).toMatchObject({
      idempotencyStatus: expect.stringMatching('joined|replayed') as string,
    });
    const answers = await events.sendBatch([
      eventOf('portico.transfer.requested', transferOf(unique('event'))),
      eventOf('portico.transfer.requested', { transferId: unique('event') }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([202, 400]);
  });

  it('renew a token that is refused, once for many calls', async () => {
    const asked: boolean[] = [];
    const portico = createPortico({
      baseUrl: server.url ?? '',
      token: ({ renew }) => (asked.push(renew), renew ? server.tokenFor() : 'expired'),
    });
    await Promise.all(Array.from({ length: 8 }, () => portico.accounts.get('acme')));
    expect(asked).toEqual([false, true]);
  });

  it('bring the key that an operation needs, and the tag that guards a change', async () => {
    const portico = clientFor('alice');
    const start = { name: 'transfers', input: { from: 'acme', to: 'globex', amount: transferOf('').amount } } as const;
    const task = await portico.delayedTasks.start({ after: 'PT1H', deliver: { process: start } });
    expect(task.idempotencyStatus).toBe('created');
    expect(await portico.delayedTasks.cancel(task.id)).toMatchObject({ id: task.id });
    const name = unique('schedule');
    const created = await portico.schedules.create({
      name,
      spec: { cron: ['0 9 * * *'] },
      action: { process: 'transfers', input: start.input },
    });
    const changed = { spec: { cron: ['0 10 * * *'] }, action: { process: 'transfers', input: start.input } };
    const replaced = await portico.schedules.replace(name, changed, { ifMatch: created.etag });
    expect(replaced.etag).not.toBe(created.etag);
    const late = await problemOf(portico.schedules.replace(name, changed, { ifMatch: created.etag }));
    expect(late.code).toBe('precondition-failed');
    await portico.schedules.delete(name);
    expect(await problemOf(portico.schedules.get(name))).toMatchObject({ status: 404, code: 'not-found' });
  });
});
