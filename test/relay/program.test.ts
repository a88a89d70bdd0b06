import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parseSettings, settings } from '../../relay/settings.ts';
import { tokenFromFile, tokenFromOAuth } from '../../relay/token.ts';
import { withClient } from '../servers/postgres.ts';
import { type PostgresCluster, postgresSkipReason, startPostgres } from '../servers/postgres.ts';
import { endPrograms } from '../servers/program.ts';
import { relayCommand, startRelayProgram } from '../servers/relay-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'portico-relay-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const usable = {
  RELAY_DATABASE_URL: 'postgres://service@db/service',
  RELAY_PORTICO_URL: 'https://portico.example',
  RELAY_TOKEN: 'a.b.c',
};

describe('the settings of the relay', () => {
  const problemsOf = (environment: Readonly<Record<string, string>>) => {
    const parsed = parseSettings(environment);
    return 'problems' in parsed ? parsed.problems : [];
  };

  it('are few where the usual ones do', () => {
    const parsed = parseSettings(usable);
    expect(parsed).toMatchObject({
      relay: { batch: 50, lanes: 2, leaseMs: 30_000, keepDoneMs: 604_800_000, deadLetters: 'pass' },
      admin: { host: '127.0.0.1', port: 9092 },
    });
  });

  it('are judged together, and no value is shown', () => {
    const problems = problemsOf({
      ...usable,
      RELAY_BATCH: 'many-secrets',
      RELAY_LEASE: '1h',
      RELAY_OAUTH_URL: 'http://idp.example/token',
      RELAY_TOKEN_FILE: join(folder, 'none'),
      RELAY_BATHC: '1',
      RELAY_POLL: '',
    });
    expect(problems).toEqual([
      'RELAY_BATHC is no setting of the relay',
      'RELAY_TOKEN_FILE must be the path of a readable file',
      'RELAY_OAUTH_URL must be a URL that begins with https://',
      'RELAY_BATCH must be a whole number from 1 to 100',
      'RELAY_LEASE must be a duration such as 500ms, 10s, 5m, 12h or 7d, from 2500ms to 30s',
      'one of RELAY_TOKEN_FILE, RELAY_TOKEN and RELAY_OAUTH_URL is needed, and not several',
      'RELAY_OAUTH_URL needs RELAY_OAUTH_CLIENT_ID and RELAY_OAUTH_CLIENT_SECRET_FILE',
    ]);
    expect(problems.join()).not.toContain('secrets');
  });

  it('ask for what is missing, and for one of several', () => {
    expect(problemsOf({})).toEqual([
      'RELAY_DATABASE_URL or RELAY_DATABASE_URL_FILE is needed, and not both',
      'RELAY_PORTICO_URL is needed',
      'one of RELAY_TOKEN_FILE, RELAY_TOKEN and RELAY_OAUTH_URL is needed, and not several',
    ]);
    expect(problemsOf({ ...usable, RELAY_HTTP_LIMIT: '20s', RELAY_LEASE: '21s' })).toEqual([
      'RELAY_LEASE must be two seconds longer than RELAY_HTTP_LIMIT',
    ]);
    expect(problemsOf({ ...usable, RELAY_TOKEN: '', RELAY_OAUTH_URL: 'https://idp.example/token' })).toEqual([
      'RELAY_OAUTH_URL needs RELAY_OAUTH_CLIENT_ID and RELAY_OAUTH_CLIENT_SECRET_FILE',
    ]);
  });

  it('stand in docs/outbox.md as they are', () => {
    const page = readFileSync(new URL('../../docs/outbox.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `(RELAY_[A-Z_]+)` +\| (.*?) +\| (.*?) +\|$/gm)].map(([, ...cells]) => cells);
    const expected = Object.entries<{ usual?: string; says: string }>(settings);
    expect(rows).toEqual(expected.map(([name, { usual = '', says }]) => [name, usual && `\`${usual}\``, says]));
  });
});

describe('the token of the relay', () => {
  it('is read from its file again and again, and is no line break', async () => {
    const path = join(folder, 'token');
    const token = tokenFromFile(path);
    await expect(token({ renew: false })).rejects.toThrow('the file of the token cannot be read');
    writeFileSync(path, 'first\n');
    expect(await token({ renew: false })).toBe('first');
    writeFileSync(path, 'second\n');
    expect(await token({ renew: false })).toBe('second');
    writeFileSync(path, 'two\nlines');
    await expect(token({ renew: true })).rejects.toThrow(/^the token is empty or has characters/);
  });

  it('is asked for over https alone', () => {
    const options = { url: 'http://127.0.0.1/token', clientId: 'a', clientSecret: 'b' };
    expect(() => tokenFromOAuth(options)).toThrow('must be https');
  });
});

describe.skipIf(postgresSkipReason() !== undefined)('npm run relay', () => {
  let cluster: PostgresCluster;
  let environment: Record<string, string>;
  beforeAll(async () => {
    cluster = await startPostgres();
    environment = { RELAY_DATABASE_URL: cluster.urlOf(await cluster.createDatabase()), RELAY_SCHEMA: 'service' };
  });
  afterEach(endPrograms);
  afterAll(() => cluster.stop());

  it('explains itself, migrates, and shows and replays dead rows', async () => {
    const [help, nothing, migrated] = await Promise.all([
      relayCommand(['help'], {}),
      relayCommand([], {}),
      relayCommand(['migrate'], environment),
    ]);
    expect(help).toMatchObject({ code: 2, text: expect.stringContaining('replay ID') as string });
    expect(nothing.code).toBe(2);
    expect(nothing.text).toContain('RELAY_PORTICO_URL is needed');
    expect(migrated).toEqual({ code: 0, text: 'The outbox is in schema service.' });

    const url = environment['RELAY_DATABASE_URL'] ?? '';
    await withClient(url, async (client) => {
      await client.query(
        `insert into service.outbox (key, operation, body) values ('k', 'startThing', '{"private":1}')`,
      );
      await client.query(
        `update service.outbox set status = 'dead', finished_at = now(), problem = '{"code":"too-late"}'`,
      );
    });
    const dead = await relayCommand(['dead'], environment);
    expect(JSON.parse(dead.text)).toMatchObject({ id: '1', key: 'k', problem: { code: 'too-late' } });
    expect(dead.text).not.toContain('private');
    expect(await relayCommand(['replay', '1'], environment)).toEqual({ code: 0, text: 'Row 1 is sent again.' });
    expect(await relayCommand(['discard', '1'], environment)).toEqual({ code: 1, text: 'There is no dead row 1.' });
  });

  it('says how it is, and ends in order', async () => {
    const relay = startRelayProgram({ ...environment, RELAY_PORTICO_URL: 'http://127.0.0.1:1', RELAY_TOKEN: 'hidden' });
    const url = await relay.adminUrl();
    const get = async (path: string) => {
      const answer = await fetch(new URL(path, url));
      return { status: answer.status, text: await answer.text() };
    };
    expect((await get('/livez')).status).toBe(200);
    const { text } = await get('/metrics');
    for (const name of ['relay_pending_rows', 'relay_oldest_pending_seconds', 'relay_dead_rows', 'relay_paused'])
      expect(text).toContain(`# TYPE ${name} gauge`);
    expect((await get('/readyz')).status).toBe(200);
    expect((await get('/elsewhere')).status).toBe(404);
    expect(await relay.stop()).toMatchObject({ code: 0 });
    expect(relay.log()).not.toContain('hidden');
  });
});
