import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join } from 'node:path';
import { StartError } from '../start-error.ts';
import { buildTemporalCli, downloadTemporalCli } from './install.ts';

/** The release of the Temporal program that Portico installs for itself where none is found. */
const temporalCliVersion = '1.5.1';

export interface CliOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Receives a line for a person whenever something takes long or goes another way than the first. */
  readonly log: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The Temporal program, the first that works: `TEMPORAL_CLI_PATH`, `temporal` on `PATH`, Portico's cache folder.
 * Undefined if there is none. Throws if `TEMPORAL_CLI_PATH` names something that does not run.
 */
export function findTemporalCli({ environment, log }: Omit<CliOptions, 'signal'>): string | undefined {
  const named = environment['TEMPORAL_CLI_PATH'];
  if (named !== undefined && named !== '') {
    if (isTemporal(named)) return named;
    throw new StartError(`TEMPORAL_CLI_PATH does not name a Temporal program that runs: ${named}`);
  }
  const onPath = (environment['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, executable))
    .find(isExecutable);
  if (onPath !== undefined) {
    if (isTemporal(onPath)) return onPath;
    log(`${onPath} is on PATH but is not a Temporal program that runs: not used.`);
  }
  const cached = cachedCli(environment);
  return isTemporal(cached) ? cached : undefined;
}

/**
 * Like {@link findTemporalCli}, and where nothing is found installs it into the cache folder: the official download,
 * else a build with Go. Throws a `StartError` that lists all ways if none works.
 */
export async function provideTemporalCli(options: CliOptions): Promise<string> {
  const found = findTemporalCli(options);
  if (found !== undefined) return found;
  const target = cachedCli(options.environment);
  const install = { ...options, target, version: temporalCliVersion, isUsable: isTemporal };
  if ((await downloadTemporalCli(install)) || (await buildTemporalCli(install))) return target;
  throw new StartError(
    [
      'No Temporal server: nothing was found and nothing could be installed. Any one of these helps:',
      '  set TEMPORAL_ADDRESS to the host and port of a server that runs;',
      '  put the Temporal CLI on PATH, or set TEMPORAL_CLI_PATH to it;',
      `  put it at ${target};`,
      '  let this machine reach https://temporal.download, from where it is downloaded;',
      '  install Go, with which it is built in a few minutes.',
    ].join('\n'),
  );
}

/** Where Portico keeps its own copy. A relative `XDG_CACHE_HOME` does not count, as its specification says. */
export function cachedCli(environment: CliOptions['environment']): string {
  const named = environment['XDG_CACHE_HOME'] ?? '';
  const cache = isAbsolute(named) ? named : join(environment['HOME'] ?? homedir(), '.cache');
  return join(cache, 'portico', `temporal-${temporalCliVersion}`, executable);
}

const executable = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Asks the program itself: a broken link, another program of that name or a foreign platform's is none. */
function isTemporal(path: string): boolean {
  if (!isExecutable(path)) return false;
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 60_000 });
  return status === 0 && stdout.startsWith('temporal version');
}
