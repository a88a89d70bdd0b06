import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { postgresBinaries, startPostgres } from '../test/support/postgres.ts';
import { startDevServer } from './dev-server.ts';
import { freePort } from './ports.ts';
import { endProcess } from './processes.ts';
import { provideTemporalCli } from './temporal-cli.ts';

/**
 * `npm run rehearse-image`: the steps of the Dockerfile by hand, for machines without a container engine. Builds from
 * the files that git tracks in a clean folder, then runs the result as the image would, against a real Temporal server
 * and a real PostgreSQL, without the right to write anywhere.
 */
const project = join(import.meta.dirname, '..');
const root = mkdtempSync(join(tmpdir(), 'portico-image-'));
const [context, image] = [join(root, 'context'), join(root, 'app')];
const unprivileged = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

const say = (line: string) => console.log(line);

try {
  build();
  reportSize();
  await refuseWithoutSettings();
  await serveOnce();
  say(
    [
      '',
      'Not run here, for want of a container engine: docker build itself, the base image (Node.js 24 on Debian; this was',
      `Node.js ${process.versions.node}), HEALTHCHECK and STOPSIGNAL as the engine applies them, the read-only mount (the`,
      'folder was made read-only for another user instead), dropped capabilities, and compose.yaml.',
    ].join('\n'),
  );
} finally {
  makeWritable(root);
  rmSync(root, { recursive: true, force: true });
}

function build(): void {
  say('Stage build: the tracked files, npm ci, npm run build');
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: project, encoding: 'utf8' }).split('\0');
  for (const file of tracked.filter((name) => name !== '')) copy(join(project, file), join(context, file));
  npm(context, 'ci', '--ignore-scripts', '--no-audit', '--no-fund');
  npm(context, 'run', 'build');

  say('Stage dependencies: npm ci --omit=dev, without the native addons of other platforms');
  for (const file of ['package.json', 'package-lock.json', '.npmrc', 'LICENSE']) {
    copy(join(context, file), join(image, file));
  }
  npm(image, 'ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund');
  execFileSync(process.execPath, [join(context, 'scripts/prune-addons.mjs'), 'node_modules'], { cwd: image });

  say('Final stage: node_modules, dist, package.json, LICENSE');
  cpSync(join(context, 'dist'), join(image, 'dist'), { recursive: true });
  for (const file of ['package-lock.json', '.npmrc']) rmSync(join(image, file));
  chmodSync(root, 0o755);
  execFileSync('chmod', ['-R', 'a-w,a+rX', image]);
}

function reportSize(): void {
  for (const part of ['node_modules', 'dist']) say(`  ${part}: ${Math.round(bytesOf(join(image, part)) / 1e6)} MB`);
  const addons = readdirSync(join(image, 'node_modules/@temporalio/core-bridge/releases'));
  say(`  native addons: ${addons.join(', ')}`);
}

/** The image's ENV; what is given comes on top. */
const environmentWith = (given: Record<string, string>) => ({
  PATH: process.env['PATH'] ?? '',
  NODE_ENV: 'production',
  HOST: '0.0.0.0',
  ADMIN_HOST: '0.0.0.0',
  PORTICO_WORKFLOW_BUNDLE: join(image, 'dist/workflow-bundle.js'),
  NODE_OPTIONS: '--max-old-space-size=768',
  ...given,
});

function start(given: Record<string, string>) {
  const child = spawn(process.execPath, ['dist/src/main.js'], {
    cwd: image,
    env: environmentWith(given),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...unprivileged,
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (printed += text.toString()));
  return { child, ended: once(child, 'exit'), printed: () => printed };
}

async function refuseWithoutSettings(): Promise<void> {
  const { ended, printed } = start({});
  const [code] = await ended;
  if (code !== 1 || !/TEMPORAL_ADDRESS/.test(printed()) || !/DATABASE_URL/.test(printed())) {
    throw new Error(`without settings it must say what is missing, not end with ${String(code)}: ${printed()}`);
  }
  say(`Without settings it ends with: ${printed().trim()}`);
}

async function serveOnce(): Promise<void> {
  if (postgresBinaries === undefined) return say('NOT RUN: it was not started, since no PostgreSQL is installed.');
  const log = (line: string) => say(`  ${line}`);
  const cliPath = await provideTemporalCli({ environment: process.env, log });
  const [port, admin] = [await freePort(), await freePort()];
  const temporal = await startDevServer({ cliPath, port: await freePort(), logFile: join(root, 'temporal.log') });
  const postgres = await startPostgres();
  try {
    const { child, ended, printed } = start({
      PORT: String(port),
      ADMIN_PORT: String(admin),
      TEMPORAL_ADDRESS: temporal.address,
      DATABASE_URL: postgres.urlOf(await postgres.createDatabase()),
      PORTICO_JWT_SECRET: 'a secret for the rehearsal alone, long enough',
      PORTICO_JWT_ISSUER: 'rehearsal',
      PORTICO_JWT_AUDIENCE: 'portico',
      PORTICO_CURSOR_SECRET: 'another secret for the rehearsal alone, long',
      PORTICO_DRAIN_DELAY: '0s',
    });
    const startedAt = Date.now();
    while (!(await answersOk(`http://127.0.0.1:${admin}/readyz`))) {
      if (child.exitCode !== null || Date.now() - startedAt > 30_000) throw new Error(`it did not start: ${printed()}`);
      await delay(50);
    }
    say(
      `Ready after ${Date.now() - startedAt} ms, as ${'uid' in unprivileged ? 'nobody' : 'you'} in a read-only folder.`,
    );
    say(`  resident memory: ${Math.round(residentKilobytes(child.pid) / 1_024)} MiB`);
    say(`  the health check's command ends with ${healthCheck(admin)}`);
    say(`  GET /v1/transfers/x without token: ${(await fetch(`http://127.0.0.1:${port}/v1/transfers/x`)).status}`);
    child.kill('SIGTERM');
    const [code] = await ended;
    say(`  SIGTERM: exit code ${String(code)}`);
    if (code !== 0) throw new Error(printed());
  } finally {
    await postgres.stop();
    await endProcess(temporal.pid, { patienceMs: 5_000 });
  }
}

async function answersOk(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** The command of the Dockerfile's HEALTHCHECK, read from there. */
function healthCheck(adminPort: number): number | null {
  const dockerfile = execFileSync('cat', [join(project, 'Dockerfile')], { encoding: 'utf8' });
  const [, , script = ''] = JSON.parse(/HEALTHCHECK[^[]*(\[.*\])/.exec(dockerfile)?.[1] ?? '[]') as string[];
  const env = environmentWith({ ADMIN_PORT: String(adminPort) });
  return spawnSync(process.execPath, ['-e', script], { env, ...unprivileged }).status;
}

function npm(cwd: string, ...args: string[]): void {
  const { status, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed: ${stderr}`);
}

function copy(from: string, to: string): void {
  if (statSync(from, { throwIfNoEntry: false })?.isFile() !== true) return;
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
}

const bytesOf = (folder: string): number =>
  Number(execFileSync('du', ['-sk', folder], { encoding: 'utf8' }).split('\t')[0]) * 1_024;

const residentKilobytes = (pid = 0): number =>
  Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }));

function makeWritable(folder: string): void {
  spawnSync('chmod', ['-R', 'u+w', folder]);
}
