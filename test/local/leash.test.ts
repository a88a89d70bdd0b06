import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type LeashedProgram, startOnLeash } from '../../local/leash.ts';
import { identityOf } from '../../local/processes.ts';
import { killProcess, leashOf } from '../harness/processes.ts';

const folder = () => {
  const made = mkdtempSync(join(tmpdir(), 'portico-leash-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
};

const untilGone = (pid: number) =>
  expect.poll(() => identityOf(pid), { timeout: 60_000, interval: 10 }).toBeUndefined();

async function hold(script: string, patienceMs = 10_000): Promise<LeashedProgram & { printed: () => string }> {
  const file = join(folder(), 'output');
  const output = openSync(file, 'a');
  const args = ['-c', script];
  const program = await startOnLeash({ program: 'sh', args, environment: process.env, output, patienceMs });
  closeSync(output);
  onTestFinished(() => program.end());
  return { ...program, printed: () => readFileSync(file, 'utf8') };
}

describe('a program on a leash', () => {
  it('runs, prints where it is told to, and says how it ended', async () => {
    const program = await hold('echo hello; echo oops >&2; exit 3');
    expect(await program.ended).toBe('exit code 3');
    expect(program.printed()).toBe('hello\noops\n');
  });

  it('ends when it is asked to', async () => {
    const program = await hold('exec sleep 60');
    await program.end();
    expect(identityOf(program.pid)).toBeUndefined();
    expect(await program.ended).toBe('SIGTERM');
    await program.end();
  });

  it('is killed when it does not end in time', async () => {
    const program = await hold('trap "" TERM; echo up; while :; do sleep 0.05; done', 300);
    await expect.poll(() => program.printed()).toBe('up\n');
    await program.end();
    expect(identityOf(program.pid)).toBeUndefined();
    expect(await program.ended).toBe('SIGKILL');
  });

  it('is killed by the process that started it when somebody kills the leash', async () => {
    const program = await hold('trap "" TERM HUP; while :; do sleep 0.05; done');
    await killProcess(leashOf(program.pid));
    expect(await program.ended).toBe('its leash got SIGKILL');
    expect(identityOf(program.pid)).toBeUndefined();
  });

  it('ends with its leash when that is asked to end', async () => {
    const program = await hold('exec sleep 60');
    process.kill(leashOf(program.pid), 'SIGTERM');
    expect(await program.ended).toBe('SIGTERM');
    expect(identityOf(program.pid)).toBeUndefined();
  });

  it('cannot be one that does not exist', async () => {
    const options = { args: [], environment: process.env, output: 2, patienceMs: 100 };
    await expect(startOnLeash({ program: '/nowhere/program', ...options })).rejects.toThrow('cannot be run');
  });
});

/** What a program that imports the leash prints until it ends. */
function runScript(body: string) {
  const module = new URL('../../local/leash.ts', import.meta.url).href;
  const program = `const { startOnLeash } = await import(${JSON.stringify(module)});
    const options = { program: 'sleep', args: ['60'], environment: process.env, output: 2, patienceMs: 10_000 };
    ${body}`;
  return spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], { encoding: 'utf8' });
}

describe('a process that holds a program', () => {
  it('waits for its end when it has asked for that', () => {
    const { stdout, status } = runScript(`
      const held = await startOnLeash(options);
      await held.end();
      console.log(await held.ended);`);
    expect({ stdout, status }).toEqual({ stdout: 'SIGTERM\n', status: 0 });
  });

  it('is not kept running by it', async () => {
    const { stdout, status } = runScript('console.log((await startOnLeash(options)).pid);');
    expect(status).toBe(0);
    await untilGone(Number(stdout));
  });
});

/** A process, in a group of its own, that holds a program which nothing but SIGKILL ends. */
async function startHolder(): Promise<{ holder: ChildProcess; pid: number }> {
  const module = new URL('../../local/leash.ts', import.meta.url).href;
  const script = 'trap "" TERM HUP INT; while :; do sleep 0.05; done';
  const program = `
    const { startOnLeash } = await import(${JSON.stringify(module)});
    const { pid } = await startOnLeash({
      program: 'sh', args: ['-c', ${JSON.stringify(script)}], environment: process.env, output: 2, patienceMs: 60_000,
    });
    console.log(pid);
    setInterval(() => {}, 1_000);`;
  const holder = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = (await once(holder.stdout, 'data')) as [Buffer];
  return { holder, pid: Number(first.toString()) };
}

/**
 * A leash that stands still for `stillMs` between spawning its program and telling so, which a busy machine does to it.
 * Resolves once the program is spawned.
 */
async function startStillLeash(stillMs: number): Promise<{ leash: ChildProcess; pid: number }> {
  const standStill = `import children from 'node:child_process';
    import { writeSync } from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { spawn } = children;
    children.spawn = (...given) => {
      const child = spawn(...given);
      writeSync(1, String(child.pid));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${stillMs});
      return child;
    };
    syncBuiltinESMExports();`;
  const preload = `data:text/javascript,${encodeURIComponent(standStill)}`;
  const file = new URL('../../local/leash.mjs', import.meta.url).pathname;
  const leash = spawn(process.execPath, ['--import', preload, file, '10000', 'sleep', '60'], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const [first] = (await once(leash.stdout ?? leash, 'data')) as [Buffer];
  return { leash, pid: Number(first.toString()) };
}

describe('the end of the process that holds it', () => {
  it('kills the program, also where it comes before the leash has told of the program', async () => {
    const { leash, pid } = await startStillLeash(500);
    onTestFinished(() => killProcess(pid));
    const printed: Buffer[] = [];
    leash.stderr?.on('data', (part: Buffer) => printed.push(part));
    leash.disconnect();
    const [code] = (await once(leash, 'exit')) as [number];
    await untilGone(pid);
    expect({ code, printed: String(printed) }).toEqual({ code: 137, printed: '' });
  });

  it.each([
    ['alone', (pid: number) => process.kill(pid, 'SIGKILL')],
    ['with its whole group', (pid: number) => process.kill(-pid, 'SIGKILL')],
  ])('kills the program, also when it is killed %s', async (_, kill) => {
    const { holder, pid } = await startHolder();
    expect(identityOf(pid)).toBeDefined();
    const leash = leashOf(pid);
    kill(Number(holder.pid));
    await untilGone(pid);
    await untilGone(leash);
  });
});
