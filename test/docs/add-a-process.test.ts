import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/worker/free-port.ts';
import { cleanEnvironment, copyCheckout } from '../harness/checkout.ts';
import { until } from '../harness/until.ts';
import { createCompiler } from './compiler.ts';
import { applyChanges, type Block, blocksOf, type Change, changesOf, fileBlocksIn } from './guide.ts';

const guide = readFileSync(new URL('../../docs/add-a-process.md', import.meta.url), 'utf8');
/** The three-file process, and the one with an adapter, a table, a setting and a resource. */
const [reminders = '', invitations = ''] = guide.split(/^(?=## )/m).slice(1);
const blocks = fileBlocksIn(guide);
const files = blocks.filter(({ language }) => language !== 'diff');
const lists = blocks.filter(({ language }) => language === 'diff');
const sources = files.filter(({ language }) => language === 'ts');

const checkout = copyCheckout();
const before = new Map(lists.map(({ file }) => [file, checkout.read(file)]));
const tool = (name: string, ...args: string[]) => checkout.run(checkout.path(`node_modules/.bin/${name}`), args);

/** The copy as the guide leaves it. */
function follow(): void {
  for (const { file, text } of files) checkout.write(file, text);
  for (const [file, text] of before) checkout.write(file, text);
  for (const { file, text } of lists) applyChanges(checkout, file, changesOf(text));
}

/** The copy where a person who followed the guide so far forgot one change of this list. */
function followBut({ list, forgotten }: { list: Block; forgotten: Change }): void {
  checkout.write(list.file, before.get(list.file) ?? '');
  for (const { file, text } of lists.slice(0, lists.indexOf(list))) {
    if (file === list.file) applyChanges(checkout, file, changesOf(text));
  }
  const changes = changesOf(list.text).filter((change) => !isDeepStrictEqual(change, forgotten));
  applyChanges(checkout, list.file, changes);
}

beforeAll(() => follow());
afterAll(() => checkout.remove());

it('the guide adds files, a migration and changes of the literal lists, and edits nothing else', () => {
  expect(files.map(({ file }) => file)).toEqual([
    'src/catalog/reminders.ts',
    'workflows/reminders.ts',
    'activities/reminders.ts',
    'src/catalog/invitations.ts',
    'src/database/migrations/20261122090000_team_members.sql',
    'src/adapters/teams.ts',
    'workflows/invitations.ts',
    'activities/invitations.ts',
    'src/operations/resources/teams.ts',
  ]);
  const three = ['src/catalog/index.ts', 'workflows/index.ts', 'activities/index.ts'];
  expect(fileBlocksIn(reminders).flatMap(({ file, language }) => (language === 'diff' ? file : []))).toEqual(three);
  expect(fileBlocksIn(invitations).flatMap(({ file, language }) => (language === 'diff' ? file : []))).toEqual([
    ...three,
    'src/adapters/index.ts',
    'src/operations/index.ts',
  ]);
});

describe('a line or a file that is forgotten', () => {
  const compiler = createCompiler(
    checkout.folder,
    blocks.map(({ file }) => file).filter((file) => file.endsWith('.ts')),
  );
  afterAll(() => compiler.close());

  it('is the only thing that is missing: the compiler accepts the rest', () => {
    expect(compiler.errors()).toEqual([]);
  }, 300_000);

  // A list of one line alone is the architecture tests' to notice.
  const changes = lists
    .filter(({ text }) => changesOf(text).length > 1)
    .flatMap((list) =>
      changesOf(list.text).map((forgotten) => ({
        list,
        file: list.file,
        forgotten,
        line: forgotten.added.at(-1)?.trim(),
      })),
    );

  it.each(changes)('is noticed by the compiler: $line in $file', ({ list, forgotten }) => {
    const imported = [...list.text.matchAll(/^\+import \{ (.*) \}/gm)].flatMap(([, names = '']) => names.split(', '));
    followBut({ list, forgotten });
    const errors = compiler.errors(list.file);
    follow();
    expect(errors.join('\n')).toMatch(new RegExp(imported.join('|')));
  });

  it('is noticed by the compiler: each file', () => {
    for (const { file } of sources) rmSync(checkout.path(file));
    const errors = compiler.errors();
    follow();
    for (const { file } of sources)
      expect(errors.join('\n')).toMatch(new RegExp(`Cannot find module.*/${basename(file)}`));
  });

  it('is noticed by the architecture tests: each list', () => {
    for (const [file, text] of before) checkout.write(file, text);
    const { status, output } = tool('vitest', 'run', 'test/architecture/lists.test.ts', '--no-color', '--retry=0');
    follow();
    expect(status).toBe(1);
    const failures = output.split(/^ FAIL /m).slice(1);
    const expected = [
      /the catalog lists[^]*invitations[^]*reminders/,
      /the workflows list[^]*invitations[^]*reminders/,
      /the activities list[^]*joinTeam[^]*remind/,
      /the adapters list every factory[^]*Teams/,
      /the adapters list every grant[^]*team_members/,
      /the grants of the adapters name every table[^]*team_members/,
      /the resources list[^]*teams\.ts/,
    ];
    expect(failures).toHaveLength(expected.length);
    for (const [index, message] of expected.entries()) expect(failures[index]).toMatch(message);
  }, 180_000);

  it('is noticed by the architecture tests: the workflow of a definition', () => {
    checkout.write('workflows/index.ts', before.get('workflows/index.ts') ?? '');
    const { status, output } = tool(
      'vitest',
      'run',
      'test/architecture/workflows.test.ts',
      '-t',
      'reminders|invitations',
      '--no-color',
      '--retry=0',
    );
    follow();
    expect(status).toBe(1);
    for (const name of ['reminders', 'invitations']) {
      expect(output).toMatch(
        new RegExp(`FAIL[^]*${name} > finds its implementations in the workflow list[^]*\\+ +"${name}"`),
      );
    }
  }, 180_000);
});

describe('the new processes', () => {
  let child: ChildProcess;
  let base: string;
  let said = '';
  const environment: Record<string, string> = {};

  beforeAll(async () => {
    const [port, adminPort] = [await freePort(), await freePort()];
    base = `localhost:${port}`;
    Object.assign(environment, {
      PORT: String(port),
      ADMIN_PORT: String(adminPort),
      PORTICO_STATE_DIR: join(checkout.folder, '.portico'),
      ...settingOf(blocksOf(invitations, 'sh')[0] ?? ''),
    });
    const generated = checkout.run('npm', ['run', '--silent', 'generate']);
    expect(generated).toMatchObject({ status: 0, output: expect.not.stringContaining('rror') as string });
    child = spawn(process.execPath, ['local/start.mjs'], {
      cwd: checkout.folder,
      env: { ...cleanEnvironment(), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => (said += String(text)));
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`the copy does not start: ${said}`);
        const answer = await fetch(`http://127.0.0.1:${adminPort}/healthz`).catch(() => undefined);
        return (await answer?.text()) ?? '';
      },
      (text) => text.includes('"status":"healthy"'),
      { withinMs: 240_000 },
    );
  }, 300_000);
  afterAll(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }, 180_000);

  const tokenWith = (permissions: string): string => {
    const args = ['--subject', 'ann', '--tenant', 'acme', '--permissions', permissions];
    const { status, stdout } = checkout.run('npm', ['run', '--silent', 'token', '--', ...args], environment);
    expect(status).toBe(0);
    return stdout.trim();
  };

  /** Does what a person does with a curl command of the guide. */
  function type(command: string, token: string) {
    expect(command).toContain('localhost:8080');
    const typed = command.replaceAll('localhost:8080', base).replace('curl', 'curl -sS -w "\\n%{http_code}"');
    const { status, stdout } = checkout.run('sh', ['-c', typed], { TOKEN: token });
    expect(status).toBe(0);
    const [body = '', code] = stdout.split('\n');
    return { code, text: body, body: JSON.parse(body) as unknown };
  }

  it('compile with everything else', () => {
    expect(tool('tsc', '-p', '.')).toMatchObject({ status: 0, stdout: '' });
  }, 300_000);

  it('are in the documents that are generated', () => {
    expect(checkout.read('openapi.yaml')).toMatch(/^ {2}\/v1\/reminders\/\{id\}\/dismiss:$/m);
    for (const document of ['README.md', 'docs/http.md']) {
      expect(checkout.read(document)).toContain('POST /v1/reminders`');
      expect(checkout.read(document)).toContain('POST /v1/invitations`');
    }
    expect(checkout.read('docs/http.md')).toContain('GET /v1/teams/{id}`');
    expect(checkout.read('.env.example')).toContain('\n# PORTICO_INVITATIONS_SEATS=20\n');
    expect(checkout.read('docs/configuration.md')).toMatch(/^\| `PORTICO_INVITATIONS_SEATS` +\|.*\| `20` +\|$/m);
  });

  it('of three files does what its last step says', async () => {
    const [command = ''] = blocksOf(reminders, 'sh');
    expect(type(command, tokenWith('reminders:start,reminders:read'))).toMatchObject({
      code: '200',
      body: {
        id: 'r-1',
        status: 'closed',
        outcome: 'completed',
        result: { outcome: 'completed', reminderId: 'r-1' },
      },
    });

    const inbox = /`GET (\/v1\/users\/u-1\/inbox)`/.exec(guide)?.[1] ?? '';
    const headers = { authorization: `Bearer ${tokenWith('users:read')}` };
    const messages = await (await fetch(`http://${base}${inbox}`, { headers })).json();
    expect(messages).toMatchObject({ items: [{ kind: 'reminder:r-1', title: 'Reminder', body: 'Call back' }] });
  }, 180_000);

  it('of three files has its action, its list, its permission and its metrics without a further line', async () => {
    const token = tokenWith('reminders:start,reminders:read,reminders:dismiss');
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', prefer: 'wait=10' };
    const send = async (path: string, body: object) => {
      const response = await fetch(`http://${base}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    const reminder = { reminderId: 'r-2', userId: 'u-1', text: 'Never', afterSeconds: 3_600 };
    const started = await send('/v1/reminders', { ...reminder, afterSeconds: -1 });
    expect(started).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
    await fetch(`http://${base}/v1/reminders`, {
      method: 'POST',
      headers: { ...headers, prefer: '' },
      body: JSON.stringify(reminder),
    });
    const dismissed = await send('/v1/reminders/r-2/dismiss', {});
    expect(dismissed).toMatchObject({ status: 200, body: { outcome: 'dismissed' } });
    expect(await send('/v1/reminders/r-2/dismiss', {})).toMatchObject({ status: 200 });
    expect(await send('/v1/reminders/r-1/dismiss', {})).toMatchObject({ status: 409, body: { code: 'too-late' } });
    const list = () => fetch(`http://${base}/v1/reminders?user=u-1&outcome=dismissed`, { headers });
    await until(
      async () => (await (await list()).json()) as { items: { id: string }[] },
      ({ items }) => items.map(({ id }) => id).join() === 'r-2',
    );
    const metrics = await (await fetch(`http://127.0.0.1:${environment['ADMIN_PORT']}/metrics`)).text();
    expect(metrics).toContain('portico_outcomes_total{process="reminders",outcome="dismissed"} 1');
  }, 180_000);

  it('with more of its own does what its last step says', () => {
    const token = tokenWith('invitations:start,invitations:read,invitations:accept,teams:read');
    const [, invite = '', look = '', accept = '', read = ''] = blocksOf(invitations, 'sh');
    expect(type(invite, token)).toMatchObject({ code: '202', body: { id: 'i-1', step: 'open' } });
    const { body: deadline } = type(look, token);
    const { expiresAt } = deadline as { expiresAt: string };
    expect(Math.abs(Date.parse(expiresAt) - Date.now() - 3_600_000)).toBeLessThan(60_000);
    expect(type(accept, token)).toMatchObject({ code: '200', body: { outcome: 'joined' } });
    const shown = /The last answer is `(.*?)`/.exec(invitations)?.[1];
    expect(type(read, token)).toMatchObject({ code: '200', text: shown });

    const anotherUser = (command: string) => command.replaceAll('i-1', 'i-2').replaceAll('u-1', 'u-2');
    expect(type(anotherUser(invite), token)).toMatchObject({ code: '202' });
    expect(type(anotherUser(accept), token)).toMatchObject({ code: '200', body: { outcome: 'team-full' } });
    expect(type(read, token)).toMatchObject({ text: shown });
  }, 180_000);

  it('end in order when the program is told to', async () => {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    expect(said).not.toMatch(/error/i);
  }, 180_000);
});

/** The setting in front of a command, as in `NAME=value npm start`. */
function settingOf(command: string): Record<string, string> {
  const [, name = '', value = ''] = /^(PORTICO_[A-Z_]+)=(\S+) npm start$/m.exec(command) ?? [];
  expect(name).not.toBe('');
  return { [name]: value };
}
