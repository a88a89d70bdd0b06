import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolverOf } from '../../../src/adapters/webhooks/resolve.ts';
import { openWebhooks } from '../../harness/webhooks.ts';
import { openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { type DnsAnswer, type DnsRecord, startNameServer } from '../../servers/name-server.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../../servers/webhook-receiver.ts';

type NameServer = Awaited<ReturnType<typeof startNameServer>>;

const [outside, outside6] = ['93.184.215.14', '2606:2800:21f:cb07:0:0:0:1'];
const v4 = (value: string, other: Partial<DnsRecord> = {}): DnsRecord => ({ type: 'A', value, ...other });
const v6 = (value: string): DnsRecord => ({ type: 'AAAA', value });
const alias = (name: string | undefined, value: string): DnsRecord => ({
  type: 'CNAME',
  value,
  ...(name !== undefined && { name }),
});

/** The zone of the tests: answers to `{type} {name}`; each of a list in turn, and the last one for ever. */
const zone = new Map<string, DnsAnswer[]>([
  ['A both.example', [[v4(outside, { ttl: 3_600 })]]],
  ['AAAA both.example', [[v6(outside6)]]],
  ['A six.example', [[]]],
  ['AAAA six.example', [[v6(outside6)]]],
  ['A many.example', [[v4(outside), v4('10.0.0.1'), v4('93.184.215.15')]]],
  ['AAAA many.example', [[]]],
  [
    'A chain.example',
    [[alias(undefined, 'b.example'), alias('b.example', 'c.example'), v4('10.0.0.1', { name: 'c.example' })]],
  ],
  ['AAAA chain.example', [[alias(undefined, 'b.example'), alias('b.example', 'c.example')]]],
  ['A loose.example', [[alias(undefined, 'b.example')]]],
  ['AAAA loose.example', [[alias(undefined, 'b.example')]]],
  ['A mapped.example', [[v4('127.0.0.1')]]],
  ['AAAA mapped.example', [[v6('0:0:0:0:0:ffff:7f00:1')]]],
  ['A half.example', [[v4('127.0.0.1')]]],
  ['AAAA half.example', ['SERVFAIL']],
  ['A late.example', [[v4('127.0.0.1')]]],
  ['AAAA late.example', ['silence']],
  ['A late6.example', ['silence']],
  ['AAAA late6.example', [[v6(outside6)]]],
  ['A broken.example', ['SERVFAIL']],
  ['AAAA broken.example', ['SERVFAIL']],
  ['A refusing.example', ['REFUSED']],
  ['AAAA refusing.example', ['REFUSED']],
  ['A silent.example', ['silence']],
  ['AAAA silent.example', ['silence']],
  ['A rebinding.example', [[v4(outside)], [v4('127.0.0.1')]]],
  ['AAAA rebinding.example', [[]]],
  ['A turning.example', [[v4('127.0.0.1')], [v4('127.0.0.2')]]],
  ['AAAA turning.example', [[]]],
  ['A lasting.example', [[v4('127.0.0.1', { ttl: 86_400 })]]],
  ['AAAA lasting.example', [[]]],
]);

let server: NameServer;
let test: TestDatabase;
let receiver: WebhookReceiver;
beforeAll(async () => {
  [server, test, receiver] = await Promise.all([
    startNameServer(({ name, type }) => {
      const [answer = 'NXDOMAIN', ...later] = zone.get(`${type} ${name}`) ?? [];
      if (later.length > 0) zone.set(`${type} ${name}`, later);
      return answer;
    }),
    openTestDatabase('embedded'),
    startWebhookReceiver(),
  ]);
});
afterAll(() => Promise.all([server.close(), test.close(), receiver.close()]));

const asked = (name: string): string[] =>
  server.questions.filter((question) => question.name === name).map(({ type }) => type);

describe('a name', () => {
  const addressesOf = async (name: string) => (await resolverOf([server.address])(name)).map(({ address }) => address);

  it.each([
    ['both.example', [outside, '2606:2800:21f:cb07::1']],
    ['six.example', ['2606:2800:21f:cb07::1']],
    ['many.example', [outside, '10.0.0.1', '93.184.215.15']],
    ['chain.example', ['10.0.0.1']],
    ['mapped.example', ['127.0.0.1', '::ffff:127.0.0.1']],
    ['half.example', ['127.0.0.1']],
  ])('%s has all its addresses, of both families, by one question for each', async (name, addresses) => {
    expect((await addressesOf(name)).toSorted()).toEqual(addresses.toSorted());
    // It is asked as it is, in no search domain of this machine.
    expect(asked(name).toSorted()).toEqual(['A', 'AAAA']);
  });

  it.each([
    ['nobody.example', 'ENOTFOUND'],
    // An answer that leads nowhere is no failure to the resolver.
    ['loose.example', undefined],
    ['broken.example', 'ESERVFAIL'],
    ['refusing.example', 'EREFUSED'],
  ])('%s has none: %s', async (name, code) => {
    const refused: unknown = await addressesOf(name).catch((error: unknown) => error);
    expect(refused).toMatchObject({ message: 'the name has no address' });
    expect((refused as { readonly cause?: { readonly code: string } }).cause?.code).toBe(code);
  });

  it.each([
    ['late.example', ['127.0.0.1']],
    ['late6.example', ['2606:2800:21f:cb07::1']],
  ])('%s has the addresses of one family where nobody answers for the other', async (name, addresses) => {
    const startedAtMs = performance.now();
    expect(await addressesOf(name)).toEqual(addresses);
    // The resolver itself would give up after seconds.
    expect(performance.now() - startedAtMs).toBeLessThan(1_500);
  });

  it('of this machine is not asked for', async () => {
    expect(await addressesOf('a.localhost')).toEqual(['127.0.0.1', '::1']);
    expect(asked('a.localhost')).toEqual([]);
  });
});

describe('an attempt', () => {
  const rules = { allowCidrs: ['127.0.0.1'] };
  const opened = (other: object = rules) =>
    openWebhooks(test.database, { ...other, resolve: resolverOf([server.address]) });
  const urlOf = (name: string) => `http://${name}:${receiver.port}/hook`;
  const notAllowed = { kind: 'failed', reason: 'address-not-allowed' };

  it.each(['nobody.example', 'broken.example', 'loose.example'])('to %s fails at once', async (name) => {
    expect(await opened().send({ url: urlOf(name) })).toEqual({ kind: 'failed', reason: 'dns' });
  });

  it('takes no longer than its own time limit where no name server answers', async () => {
    const startedAtMs = performance.now();
    expect(await opened().send({ url: urlOf('silent.example') }, { timeoutMs: 200 })).toEqual({
      kind: 'failed',
      reason: 'timeout',
    });
    // The resolver itself would give up after seconds.
    expect(performance.now() - startedAtMs).toBeLessThan(1_500);
  });

  it.each(['many.example', 'chain.example', 'mapped.example'])(
    'to %s connects to none of its addresses',
    async (name) => {
      const before = receiver.connections();
      const { send, webhooks, tenant } = opened({ allowCidrs: [] });
      const url = urlOf(name);
      await expect(webhooks.judge({ tenant, target: { url } })).rejects.toMatchObject({ code: 'target-not-allowed' });
      expect(await send({ url })).toEqual(notAllowed);
      expect(receiver.connections()).toBe(before);
    },
  );

  it('is refused where a name without a time to live was public when it was judged', async () => {
    const before = receiver.connections();
    const { send, webhooks, tenant } = opened({ allowCidrs: [] });
    const url = urlOf('rebinding.example');
    await webhooks.judge({ tenant, target: { url } });
    expect(await send({ url })).toEqual(notAllowed);
    expect(asked('rebinding.example')).toEqual(['A', 'AAAA', 'A', 'AAAA']);
    expect(receiver.connections()).toBe(before);
  });

  it('connects to what it judged: nobody asks again between', async () => {
    const { send } = opened();
    const url = urlOf('turning.example');
    expect(await send({ url })).toEqual({ kind: 'delivered', status: 204 });
    expect(asked('turning.example')).toEqual(['A', 'AAAA']);
    expect(await send({ url })).toEqual(notAllowed);
  });

  it('remembers no answer, however long that may be remembered', async () => {
    const { send } = opened();
    for (let count = 0; count < 2; count += 1) {
      expect(await send({ url: urlOf('lasting.example') })).toEqual({ kind: 'delivered', status: 204 });
    }
    expect(asked('lasting.example')).toEqual(['A', 'AAAA', 'A', 'AAAA']);
  });
});
