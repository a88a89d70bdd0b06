import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { StartError } from '../../local/start-error.ts';
import { cachedCli } from '../../local/temporal/cli.ts';

/** The release of Temporal's server, as its module is named by Go. */
const version = '1.31.2';
const module = `go.temporal.io/server@v${version}`;

/** Temporal's server, the tool that lays out its databases, and a folder of versioned changes for each of the two. */
export interface ClusterPrograms {
  readonly server: string;
  readonly sql: string;
  readonly schemas: { readonly temporal: string; readonly visibility: string };
}

/**
 * The programs from Portico's cache folder. Where they are not there they are built by Go, from the sources that Go's
 * module proxy offers; that takes three minutes on an idle machine with two cores, and some gigabytes of Go's own caches. Throws a
 * StartError that says what is missing.
 */
export function provideClusterPrograms(): ClusterPrograms {
  const cache = dirname(dirname(cachedCli(process.env)));
  const folder = join(cache, `temporal-server-${version}`);
  if (!existsSync(folder)) build(cache, folder);
  const schemas = { temporal: join(folder, 'temporal'), visibility: join(folder, 'visibility') };
  return { server: join(folder, 'server'), sql: join(folder, 'sql'), schemas };
}

/** Into a folder aside that then takes its name: what is there is whole. */
function build(cache: string, folder: string): void {
  console.log(`Building Temporal's server ${version} with Go, once; three minutes, and more on a busy machine …`);
  mkdirSync(cache, { recursive: true });
  const draft = mkdtempSync(join(cache, 'draft-'));
  try {
    go(draft, ['install', '-ldflags', '-s -w', ...['cmd/server', 'cmd/tools/sql'].map(packageOf)]);
    const { Dir: sources } = JSON.parse(go(draft, ['mod', 'download', '-json', module])) as { readonly Dir: string };
    for (const name of ['temporal', 'visibility']) {
      copySchema(join(sources, 'schema', 'postgresql', 'v12', name, 'versioned'), join(draft, name));
    }
    renameSync(draft, folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

const packageOf = (path: string): string => module.replace('@', `/${path}@`);

/** Runs Go and gives what it printed as its result. Its progress goes to the terminal. */
function go(folder: string, args: readonly string[]): string {
  const { error, status, stdout } = spawnSync('go', args, {
    cwd: folder,
    env: { ...process.env, GOBIN: folder, GOOS: undefined, GOARCH: undefined, GOFLAGS: undefined },
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 1 << 24,
  });
  if (error === undefined && status === 0) return stdout;
  const isAbsent = error !== undefined && 'code' in error && error.code === 'ENOENT';
  const reason = isAbsent ? 'there is no Go' : (error?.message ?? `go ended with ${String(status)}`);
  throw new StartError(
    [
      `Temporal's server ${version} could not be built: ${reason}.`,
      'The server `cluster` needs Go on PATH, and Go its module proxy. Without them use --server dev.',
    ].join('\n'),
  );
}

/** Files anew: those in Go's cache may not be written, and so not be removed with their folder. */
function copySchema(from: string, to: string): void {
  for (const name of readdirSync(from, { recursive: true, encoding: 'utf8' })) {
    if (!/\.(sql|json)$/.test(name)) continue;
    mkdirSync(dirname(join(to, name)), { recursive: true });
    writeFileSync(join(to, name), readFileSync(join(from, name)));
  }
}
