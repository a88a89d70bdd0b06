import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Installation {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** Where the program shall stand. It appears there whole or not at all. */
  readonly target: string;
  readonly version: string;
  readonly isUsable: (path: string) => boolean;
}

/** Fetches the official release. False, and no more than a line in the log, where the network does not let it. */
export const downloadTemporalCli = (installation: Installation): Promise<boolean> =>
  installAside(installation, async (folder) => {
    const { environment, log, version } = installation;
    log(`Downloading the Temporal server ${version} …`);
    // In a process of its own: the SDK's download cannot be aborted, and may wait for a silent network for minutes.
    const script = join(import.meta.dirname, 'download.mjs');
    const child = spawn(process.execPath, [script, folder, version], {
      env: environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await watch(child, {
      ...installation,
      doing: () => `downloading, ${Math.round(bytesIn(folder) / 1_048_576)} MiB`,
      isStalled: stallOf(() => bytesIn(folder), 30_000),
    });
    if (programIn(folder) === undefined) log('The download did not work: the network refuses it or does not answer.');
  });

/** Builds the same release with Go, from the sources that Go's module proxy offers. False if Go is absent or fails. */
export const buildTemporalCli = (installation: Installation): Promise<boolean> =>
  installAside(installation, async (folder) => {
    const { environment, log, version } = installation;
    log(`Building the Temporal server ${version} with Go; once, about three minutes …`);
    const args = ['install', '-ldflags', '-s -w', `github.com/temporalio/cli/cmd/temporal@v${version}`];
    const env = { ...environment, GOBIN: folder, GOOS: undefined, GOARCH: undefined };
    const child = spawn('go', args, { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
    if (!(await watch(child, { ...installation, doing: () => 'building' }))) log('Go is not there or cannot build it.');
  });

/**
 * Installs into a folder beside the target and then moves the program into its place. Two processes that do so at the
 * same time do the work twice, and the later program takes the place of the earlier.
 */
async function installAside(
  { target, isUsable, log }: Installation,
  installInto: (folder: string) => Promise<void>,
): Promise<boolean> {
  const parent = dirname(dirname(target));
  mkdirSync(parent, { recursive: true });
  removeOldDrafts(parent);
  const folder = mkdtempSync(join(parent, draftPrefix));
  try {
    await installInto(folder);
    const program = programIn(folder);
    if (program === undefined || !isUsable(program)) return false;
    mkdirSync(dirname(target), { recursive: true });
    renameSync(program, target);
    log(`The Temporal server is installed: ${target}`);
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const draftPrefix = 'draft-';

/** Those of processes that were killed. No installation takes a day, so none that is under way is among them. */
function removeOldDrafts(parent: string): void {
  const yesterday = Date.now() - 86_400_000;
  for (const name of readdirSync(parent).filter((each) => each.startsWith(draftPrefix))) {
    const draft = join(parent, name);
    const changedAt = statSync(draft, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (changedAt < yesterday) rmSync(draft, { recursive: true, force: true });
  }
}

/** The one program in the folder, if it is whole. A download carries its version in the name. */
const programIn = (folder: string): string | undefined =>
  readdirSync(folder)
    .filter((name) => name.startsWith('temporal') && !name.endsWith('.downloading'))
    .map((name) => join(folder, name))
    .find((path) => statSync(path).isFile());

interface Watch {
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  readonly doing: () => string;
  readonly isStalled?: () => boolean;
}

/** Resolves true if the child ends well. Says every ten seconds that it still runs, and the reason if it fails. */
function watch(child: ChildProcess, { log, signal, doing, isStalled }: Watch): Promise<boolean> {
  const startedAt = Date.now();
  let told = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (told = (told + text).slice(-2_000)));
  return new Promise((resolve, reject) => {
    const progress = setInterval(() => log(`  ${doing()}, ${Math.round((Date.now() - startedAt) / 1_000)} s`), 10_000);
    const watchdog = setInterval(() => isStalled?.() === true && child.kill('SIGKILL'), 1_000);
    const abort = () => child.kill('SIGTERM');
    signal?.addEventListener('abort', abort);
    if (signal?.aborted === true) abort();
    const end = (settle: () => void) => {
      clearInterval(progress);
      clearInterval(watchdog);
      signal?.removeEventListener('abort', abort);
      settle();
    };
    child.once('error', () => end(() => resolve(false)));
    child.once('close', (code) =>
      end(() => {
        if (code !== 0 && told.trim() !== '') log(`  ${told.trim().split('\n').slice(-3).join('\n  ')}`);
        if (signal?.aborted === true) reject(new DOMException('stopped while installing', 'AbortError'));
        else resolve(code === 0);
      }),
    );
  });
}

/** True once `progress` did not change for `patienceMs`. */
function stallOf(progress: () => number, patienceMs: number): () => boolean {
  let last = { value: -1, at: Date.now() };
  return () => {
    const value = progress();
    if (value !== last.value) last = { value, at: Date.now() };
    return Date.now() - last.at > patienceMs;
  };
}

function bytesIn(folder: string): number {
  return readdirSync(folder)
    .map((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0)
    .reduce((sum, size) => sum + size, 0);
}
