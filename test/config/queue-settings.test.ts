import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { parseProcessSettings } from '../../src/config/process-settings.ts';
import { queueSettings } from '../../src/config/queue-settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'portico-queue-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

const url = 'amqps://canary-user:canary%21@broker.example:5671/main';

const parse = (given: Readonly<Record<string, string>>) => {
  const named = Object.entries(given).map(([name, value]) => [`PORTICO_QUEUES_${name}`, value]);
  const { problems, settingsOf } = parseProcessSettings(
    [{ name: 'queues', settings: queueSettings }],
    Object.fromEntries(named),
  );
  return { problems, values: problems.length === 0 ? settingsOf(queueSettings) : undefined };
};

describe('the URL of the broker', () => {
  it('is given as text or in a file, and shown nowhere', () => {
    const path = join(folder, 'url');
    writeFileSync(path, `${url}\n`);
    for (const [name, text] of [
      ['BROKER_URL', url],
      ['BROKER_URL_FILE', path],
    ] as const) {
      const { values } = parse({ [name]: text, ALLOWED: 'acme:orders' });
      expect(values?.brokerUrl?.reveal()).toBe(url);
      expect(inspect(values, { showHidden: true, depth: null }) + JSON.stringify(values)).not.toContain('canary');
    }
  });

  it.each([
    'canary',
    'http://canary@broker.example',
    'amqp:///canary',
    'amqp://canary%zz@broker.example',
    'amqp://canary@broker.example/?heartbeat=0',
    'amqp://canary@broker.example/a/b',
  ])('is not %s, which is not repeated', (text) => {
    const { problems } = parse({ BROKER_URL: text, ALLOWED: 'acme:orders' });
    expect(problems).toEqual([expect.stringMatching(/^PORTICO_QUEUES_BROKER_URL must be a URL such as amqps:/)]);
    expect(problems.join()).not.toContain('canary');
  });

  it('in a file is one as well', () => {
    const path = join(folder, 'none');
    writeFileSync(path, 'canary');
    const { problems } = parse({ BROKER_URL_FILE: path, ALLOWED: 'acme:orders' });
    expect(problems).toEqual([
      expect.stringContaining('PORTICO_QUEUES_BROKER_URL_FILE must be the path of a readable'),
    ]);
  });
});

describe('the allowed queues', () => {
  it('are pairs of a tenant and a queue', () => {
    const { values } = parse({ BROKER_URL: url, ALLOWED: 'acme:orders, acme:mail\n*:audit,*:in.{tenant}' });
    expect(values?.allowed).toEqual([
      { tenant: 'acme', queue: 'orders' },
      { tenant: 'acme', queue: 'mail' },
      { tenant: '*', queue: 'audit' },
      { tenant: '*', queue: 'in.{tenant}' },
    ]);
  });

  it.each(['orders', 'acme:', ':orders', 'acme:orders,acme:orders', '*:amq.direct', 'acme:or{user}', ','])(
    'are not %s',
    (text) => {
      const { problems } = parse({ BROKER_URL: url, ALLOWED: text });
      expect(problems).toEqual([expect.stringMatching(/^PORTICO_QUEUES_ALLOWED must be a list such as acme:orders/)]);
    },
  );

  it.each([
    ['BROKER_URL', url],
    ['ALLOWED', 'acme:orders'],
  ])('and the broker come together: %s alone is refused', (name, text) => {
    expect(parse({ [name]: text }).problems).toEqual([
      'the settings PORTICO_QUEUES_ need a broker URL and allowed queues together',
    ]);
  });
});
