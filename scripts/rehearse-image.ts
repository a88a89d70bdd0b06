import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { refuseWithoutSettings, serveOnce } from './rehearse-start.ts';

/**
 * `npm run rehearse-image`: the steps of the Dockerfile, for machines without a container engine. Builds the files that
 * git tracks in a clean folder. Then runs the result as the image would: with a real Temporal server and PostgreSQL,
 * and without the right to write anywhere.
 */
const project = join(import.meta.dirname, '..');
const root = mkdtempSync(join(tmpdir(), 'portico-image-'));
const [context, image] = [join(root, 'context'), join(root, 'app')];

try {
  build();
  reportSize();
  await refuseWithoutSettings(image);
  await serveOnce(image, root);
  console.log(
    [
      '',
      'Not run here, for want of a container engine: docker build itself, the base image (Node.js 24 on Debian; this was',
      `Node.js ${process.versions.node}), HEALTHCHECK and STOPSIGNAL as the engine applies them, the read-only mount (the`,
      'folder was made read-only for another user instead), dropped capabilities, and compose.yaml.',
    ].join('\n'),
  );
} finally {
  spawnSync('chmod', ['-R', 'u+w', root]);
  rmSync(root, { recursive: true, force: true });
}

function build(): void {
  console.log('Stage build: the tracked files, npm ci, npm run build');
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: project, encoding: 'utf8' }).split('\0');
  for (const file of tracked.filter((name) => name !== '')) copy(file, project, context);
  npm(context, 'ci', '--ignore-scripts', '--no-audit', '--no-fund');
  npm(context, 'run', 'build');

  console.log('Stage dependencies: npm ci --omit=dev, without the native addons of other platforms');
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) copy(file, context, image);
  npm(image, 'ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund');
  execFileSync(process.execPath, [join(context, 'scripts/prune-addons.mjs'), 'node_modules'], { cwd: image });

  console.log('Final stage: node_modules, dist, package.json, LICENSE');
  for (const file of ['package-lock.json', '.npmrc']) rmSync(join(image, file));
  cpSync(join(context, 'dist'), join(image, 'dist'), { recursive: true });
  copy('LICENSE', context, image);
  chmodSync(root, 0o755);
  execFileSync('chmod', ['-R', 'a-w,a+rX', image]);
}

function reportSize(): void {
  for (const part of ['node_modules', 'dist']) {
    const kibibytes = Number(execFileSync('du', ['-sk', join(image, part)], { encoding: 'utf8' }).split('\t')[0]);
    console.log(`  ${part}: ${Math.round(kibibytes / 1_024)} MiB`);
  }
  const addons = readdirSync(join(image, 'node_modules/@temporalio/core-bridge/releases'));
  console.log(`  native addons: ${addons.join(', ')}`);
}

function npm(cwd: string, ...args: string[]): void {
  const { status, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed: ${stderr}`);
}

/** Copies a tracked file, unless it is deleted in the working tree. */
function copy(file: string, from: string, to: string): void {
  if (!existsSync(join(from, file))) return;
  mkdirSync(dirname(join(to, file)), { recursive: true });
  cpSync(join(from, file), join(to, file));
}
