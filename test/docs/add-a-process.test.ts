import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../src/worker/free-port.ts';
import { cleanEnvironment, copyCheckout } from '../harness/checkout.ts';
import { until } from '../harness/until.ts';
import { createCompiler } from './compiler.ts';
import { applyChanges, blocksOf, type Change, changesOf, fileBlocksIn } from './guide.ts';

const guide = readFileSync(new URL('../../docs/add-a-process.md', import.meta.url), 'utf8');
const blocks = fileBlocksIn(guide);
const files = blocks.filter(({ language }) => language === 'ts');
const lists = blocks.filter(({ language }) => language === 'diff');

const checkout = copyCheckout();
const before = new Map(lists.map(({ file }) => [file, checkout.read(file)]));
const tool = (name: string, ...args: string[]) => checkout.run(checkout.path(`node_modules/.bin/${name}`), args);

/** The copy as the guide leaves it. */
function follow(): void {
  for (const { file, text } of files) checkout.write(file, text);
  for (const { file, text } of lists) followList(file, changesOf(text));
}

function followList(file: string, changes: readonly Change[]): void {
  checkout.write(file, before.get(file) ?? '');
  applyChanges(checkout, file, changes);
}

beforeAll(follow);
afterAll(() => checkout.remove());

it('the guide has three files and a change for each of three lists', () => {
  expect(files.map(({ file }) => file)).toEqual([
    'src/catalog/reminders.ts',
    'workflows/reminders.ts',
    'activities/reminders.ts',
  ]);
  expect(lists.map(({ file }) => file)).toEqual(['src/catalog/index.ts', 'workflows/index.ts', 'activities/index.ts']);
});

describe('a line or a file that is forgotten', () => {
  const compiler = createCompiler(
    checkout.folder,
    blocks.map(({ file }) => file),
  );
  afterAll(() => compiler.close());

  it('is the only thing that is missing: the compiler accepts the rest', () => {
    expect(compiler.errors()).toEqual([]);
  });

  const imports = ({ added }: Change) => added.every((line) => line.startsWith('import '));
  const forgotten = lists
    .filter(({ text }) => changesOf(text).length > 1)
    .flatMap(({ file, text }) => [
      { file, what: 'import', changes: changesOf(text).filter((change) => !imports(change)) },
      { file, what: 'entry', changes: changesOf(text).filter(imports) },
    ]);

  it.each(forgotten)('is noticed by the compiler: the $what in $file', ({ file, changes }) => {
    followList(file, changes);
    const errors = compiler.errors();
    follow();
    expect(errors.join('\n')).toMatch(new RegExp(`^${file}: .*(remindersV1|createReminderActivities)`, 'm'));
  });

  it.each(files)('is noticed by the compiler: $file', ({ file }) => {
    rmSync(checkout.path(file));
    const errors = compiler.errors();
    follow();
    expect(errors.join('\n')).toMatch(/reminders\.ts/);
  });

  it('is noticed by the architecture tests: each list', () => {
    for (const { file } of lists) checkout.write(file, before.get(file) ?? '');
    const { status, output } = tool('vitest', 'run', 'test/architecture/lists.test.ts', '--no-color', '--retry=0');
    follow();
    expect(status).toBe(1);
    const failures = output.split(/^ FAIL /m).slice(1);
    expect(failures).toHaveLength(3);
    for (const [index, name] of ['catalog', 'workflows', 'activities'].entries()) {
      expect(failures[index]).toMatch(new RegExp(`the ${name} list[^]*remind`));
    }
  }, 60_000);

  it('is noticed by the architecture tests: the workflow of a definition', () => {
    checkout.write('workflows/index.ts', before.get('workflows/index.ts') ?? '');
    const { status, output } = tool(
      'vitest',
      'run',
      'test/architecture/workflows.test.ts',
      '-t',
      'reminders',
      '--no-color',
      '--retry=0',
    );
    follow();
    expect(status).toBe(1);
    expect(output).toMatch(/FAIL[^]*finds its implementations in the workflow list[^]*\+ +"reminders"/);
  }, 60_000);
});

describe('the new process', () => {
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
        const answer = await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined);
        return answer?.status;
      },
      (status) => status === 200,
    );
  }, 120_000);
  afterAll(async () => {
    if (child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }, 60_000);

  const tokenWith = (permissions: string): string => {
    const args = ['--subject', 'ann', '--tenant', 'acme', '--permissions', permissions];
    const { status, stdout } = checkout.run('npm', ['run', '--silent', 'token', '--', ...args], environment);
    expect(status).toBe(0);
    return stdout.trim();
  };

  it('compiles with everything else', () => {
    expect(tool('tsc', '-p', '.')).toMatchObject({ status: 0, stdout: '' });
  }, 120_000);

  it('is in the documents that are generated', () => {
    expect(checkout.read('openapi.yaml')).toMatch(/^ {2}\/v1\/reminders\/\{id\}\/dismiss:$/m);
    for (const document of ['README.md', 'docs/http.md'])
      expect(checkout.read(document)).toContain('POST /v1/reminders`');
  });

  it('does what the last step says', async () => {
    const [command = ''] = blocksOf(guide, 'sh');
    expect(command).toContain('localhost:8080');
    const token = tokenWith('reminders:start,reminders:read');
    const { status, stdout } = checkout.run(
      'sh',
      ['-c', command.replaceAll('localhost:8080', base).replace('curl', 'curl -sS -w "\\n%{http_code}"')],
      { TOKEN: token },
    );
    expect(status).toBe(0);
    const [body = '', code] = stdout.split('\n');
    expect(code).toBe('200');
    expect(JSON.parse(body)).toMatchObject({
      id: 'r-1',
      status: 'closed',
      outcome: 'completed',
      result: { outcome: 'completed', reminderId: 'r-1' },
    });

    const inbox = /`GET (\/v1\/users\/u-1\/inbox)`/.exec(guide)?.[1] ?? '';
    const headers = { authorization: `Bearer ${tokenWith('users:read')}` };
    const messages = await (await fetch(`http://${base}${inbox}`, { headers })).json();
    expect(messages).toMatchObject({ items: [{ kind: 'reminder:r-1', title: 'Reminder', body: 'Call back' }] });
  }, 60_000);

  it('has its action, its list, its permission and its metrics without a further line', async () => {
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
  }, 60_000);

  it('ends in order when it is told to', async () => {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
    expect(said).not.toMatch(/error/i);
  }, 60_000);
});
