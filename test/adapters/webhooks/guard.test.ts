import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Resolved } from '../../../src/adapters/webhooks/resolve.ts';
import { Problem } from '../../../src/problems.ts';
import { openWebhooks } from '../../harness/webhooks.ts';
import { openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../../servers/webhook-receiver.ts';

let test: TestDatabase;
/** What no webhook may reach: a receiver on this machine. */
let canary: WebhookReceiver;
beforeAll(async () => {
  [test, canary] = await Promise.all([openTestDatabase('embedded'), startWebhookReceiver()]);
});
afterAll(() => Promise.all([test.close(), canary.close()]));

/** Hosts that mean this machine or another internal place, in every form that a URL may have. */
const internalHosts = [
  ...['127.0.0.1', '127.1', '127.0.1', '127.255.255.254', '2130706433', '017700000001', '0x7f000001', '0x7f.1'],
  ...['0177.0.0.1', '0177.1', '127.0.0.1.', '0', '0.0.0.0', '0x0', '00', '%31%32%37.0.0.1', '127.0.0.0x1'],
  ...[
    '１２７.０.０.１',
    '①②⑦.⓪.⓪.①',
    '127。0。0。1',
    '127．0．0．1',
    '127｡0｡0｡1',
    'ⓛocalhost',
    'LOCALHOST',
    'localhost',
  ],
  ...[
    'localhost.',
    'a.localhost',
    'ｌｏｃａｌｈｏｓｔ',
    '169.254.169.254',
    '0xa9fea9fe',
    '2852039166',
    '169.254.43518',
  ],
  ...['10.0.0.1', '10.1', '0xa.1', '012.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', '192.168.1'],
  ...['100.64.0.1', '100.127.255.255', '192.0.0.1', '192.0.2.1', '192.88.99.1', '198.18.0.1', '198.19.255.255'],
  ...['198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
  ...[
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::127.0.0.1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::FFFF:127.0.0.1]',
  ],
  ...['[0:0:0:0:0:ffff:10.0.0.1]', '[::ffff:169.254.169.254]', '[64:ff9b::127.0.0.1]', '[64:ff9b::a9fe:a9fe]'],
  ...['[64:ff9b:1::1]', '[2002:7f00:1::]', '[2002:a9fe:a9fe::1]', '[2001::1]', '[2001:db8::1]', '[100::1]'],
  ...['[100:0:0:1::1]', '[3fff::1]', '[3fff:fff::1]', '[5f00::1]'],
  ...['[fc00::1]', '[fd00:ec2::254]', '[fe80::1]', '[fec0::1]', '[ff02::1]', '[::10.0.0.1]'],
];

/** Texts that are refused for something else than their host. */
const otherForms = [
  ...[
    'http://user@93.184.215.14/',
    'http://user:pw@93.184.215.14/',
    'http://:pw@93.184.215.14/',
    'ftp://93.184.215.14/',
  ],
  ...['file:///etc/passwd', 'javascript:alert(1)', 'data:text/plain,x', 'gopher://127.0.0.1/', 'unix:/run/docker.sock'],
  ...[
    'http://[fe80::1%25eth0]/',
    'http://[::1%lo]/',
    'http://',
    'http:///',
    '//127.0.0.1/',
    '127.0.0.1',
    '',
    'http://a b/',
  ],
  ...['http://example.com./', 'http://1.2.3.256/', 'http://0x100000000/', 'http://[::1', 'http://\u0000/'],
  ...[`http://example.com/${'x'.repeat(2_048)}`],
];

const forms = [
  ...internalHosts.flatMap((host) => [`http://${host}/`, `http://${host}:PORT/x?y`, `\thttp:\\\\${host}:PORT\\x`]),
  ...otherForms,
];
const named = forms.map((form): [string] => [form]);
const textOf = (form: string) => form.replace('PORT', String(canary.port));

/** Only public addresses, over http and to any port: what is refused is refused for its address. */
const publicOnly = { allowCidrs: [] };

describe('a URL that no webhook may be sent to', () => {
  const answering = (...answers: Resolved[]) => ({ ...publicOnly, resolve: () => Promise.resolve(answers) });
  const loopback: Resolved = { address: '127.0.0.1', family: 4 };

  it('has many forms', () => {
    expect(forms.length).toBeGreaterThan(150);
    expect(new Set(forms).size).toBe(forms.length);
  });

  it.each(named)('%j is refused when it is named and when it is delivered to', async (form) => {
    const { send, webhooks, tenant } = openWebhooks(test.database, answering(loopback));
    const refusal: unknown = await webhooks
      .judge({ tenant, target: { url: textOf(form) } })
      .catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Problem);
    expect(['target-not-allowed', 'invalid-request']).toContain((refusal as Problem).code);
    expect(await send({ url: textOf(form) })).toEqual({ kind: 'failed', reason: 'address-not-allowed' });
    expect(canary.connections()).toBe(0);
  });

  it.each(internalHosts.map((host): [string] => [host]))('a redirect to %s is not followed', async (host) => {
    const location = `http://${host}:${canary.port}/`;
    const redirecting = await startWebhookReceiver({
      answer: (_, response) => void response.writeHead(302, { location: encodeURI(location) }).end(),
    });
    onTestFinished(redirecting.close);
    // The receiver that redirects may be reached, what it names may be reached as well: nothing but the rule holds it back.
    const { send } = openWebhooks(test.database);
    expect(await send({ url: redirecting.url })).toEqual({ kind: 'failed', reason: 'redirect', status: 302 });
    expect(canary.connections()).toBe(0);
  });

  it('is any name of which one answer is internal', async () => {
    const outside: Resolved = { address: '93.184.215.14', family: 4 };
    for (const answers of [[loopback], [outside, loopback], [{ address: '::ffff:127.0.0.1', family: 6 as const }]]) {
      const { send, webhooks, tenant } = openWebhooks(test.database, answering(...answers));
      const url = `http://receiver.example:${canary.port}/`;
      await expect(webhooks.judge({ tenant, target: { url } })).rejects.toMatchObject({ code: 'target-not-allowed' });
      expect(await send({ url })).toEqual({ kind: 'failed', reason: 'address-not-allowed' });
    }
    expect(canary.connections()).toBe(0);
  });

  it('is a name that was public when it was named and is internal when it is connected to', async () => {
    const answers: Resolved[] = [{ address: '93.184.215.14', family: 4 }];
    const asked: string[] = [];
    const resolve = (host: string) => {
      asked.push(host);
      return Promise.resolve([answers.shift() ?? loopback]);
    };
    const { send, webhooks, tenant } = openWebhooks(test.database, { ...publicOnly, resolve });
    const url = `http://rebinding.example:${canary.port}/`;
    await webhooks.judge({ tenant, target: { url } });
    expect(await send({ url })).toEqual({ kind: 'failed', reason: 'address-not-allowed' });
    expect(asked).toHaveLength(2);
    expect(canary.connections()).toBe(0);
  });
});

describe('what is connected to', () => {
  it('is the address that was judged: a name is looked up once in an attempt', async () => {
    const server = await startWebhookReceiver();
    onTestFinished(server.close);
    let asked = 0;
    const resolve = () =>
      Promise.resolve([{ address: (asked += 1) === 1 ? '127.0.0.1' : '127.0.0.2', family: 4 as const }]);
    const { send } = openWebhooks(test.database, { resolve });
    expect(await send({ url: `http://receiver.example:${server.port}/` })).toEqual({ kind: 'delivered', status: 204 });
    expect([asked, server.connections()]).toEqual([1, 1]);
  });

  it('is https and a usual port alone, unless settings say otherwise', async () => {
    const { send, webhooks, tenant } = openWebhooks(test.database, {
      schemes: ['https'],
      ports: [{ first: 443, last: 443 }],
      allowCidrs: ['127.0.0.0/8'],
    });
    for (const url of [
      canary.url,
      `https://127.0.0.1:${canary.port}/`,
      'https://127.0.0.1:80/',
      'http://127.0.0.1:443/',
    ]) {
      await expect(webhooks.judge({ tenant, target: { url } })).rejects.toMatchObject({ code: 'target-not-allowed' });
      expect(await send({ url })).toEqual({ kind: 'failed', reason: 'address-not-allowed' });
    }
    await expect(webhooks.judge({ tenant, target: { url: 'https://127.0.0.1/' } })).resolves.toBeUndefined();
  });

  it('fails as `dns` where the name has no address, and costs the time limit where nobody answers', async () => {
    const none = openWebhooks(test.database, { resolve: () => Promise.reject(new Error('ENOTFOUND')) });
    expect(await none.send({ url: 'http://receiver.example/' })).toEqual({ kind: 'failed', reason: 'dns' });
    const silent = openWebhooks(test.database, { resolve: () => new Promise(() => undefined) });
    expect(await silent.send({ url: 'http://receiver.example/' }, { timeoutMs: 200 })).toEqual({
      kind: 'failed',
      reason: 'timeout',
    });
  });
});
