import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cachedCli, findTemporalCli, provideTemporalCli } from '../../../local/temporal/cli.ts';

let folder: string;
let lines: string[];
const log = (line: string) => lines.push(line);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portico-cli-'));
  lines = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A program that says it is Temporal, or `says` something else. */
function program(path: string, says = 'temporal version 1.5.1'): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho '${says}'\n`);
  chmodSync(path, 0o755);
  return path;
}

const bare = () => ({ XDG_CACHE_HOME: join(folder, 'cache'), PATH: '/usr/bin:/bin' });

describe('the Temporal program is looked for', () => {
  it('first where TEMPORAL_CLI_PATH says', () => {
    const named = program(join(folder, 'named'));
    program(join(folder, 'bin/temporal'));
    const environment = { ...bare(), TEMPORAL_CLI_PATH: named, PATH: `${join(folder, 'bin')}:/usr/bin:/bin` };
    expect(findTemporalCli({ environment, log })).toBe(named);
  });

  it('then on PATH, before the cache folder', () => {
    const environment = { ...bare(), PATH: `${join(folder, 'bin')}:/usr/bin:/bin` };
    const onPath = program(join(folder, 'bin/temporal'));
    program(cachedCli(environment));
    expect(findTemporalCli({ environment, log })).toBe(onPath);
  });

  it('then in the cache folder', () => {
    const cached = program(cachedCli(bare()));
    expect(findTemporalCli({ environment: bare(), log })).toBe(cached);
  });

  it('and not found where there is none', () => {
    expect(findTemporalCli({ environment: bare(), log })).toBeUndefined();
  });

  it('further, with a word about it, where PATH has another program of that name', () => {
    const environment = { ...bare(), PATH: `${join(folder, 'bin')}:/usr/bin:/bin` };
    program(join(folder, 'bin/temporal'), 'a calendar');
    const cached = program(cachedCli(environment));
    expect(findTemporalCli({ environment, log })).toBe(cached);
    expect(lines.join()).toContain('is not a Temporal program');
  });

  it('nowhere else when TEMPORAL_CLI_PATH names something that does not run', () => {
    const environment = { ...bare(), TEMPORAL_CLI_PATH: join(folder, 'absent') };
    program(cachedCli(environment));
    expect(() => findTemporalCli({ environment, log })).toThrow(/TEMPORAL_CLI_PATH/);
  });
});

describe('the cache folder', () => {
  it('is below XDG_CACHE_HOME', () => {
    expect(cachedCli({ XDG_CACHE_HOME: '/c', HOME: '/h' })).toBe('/c/portico/temporal-1.5.1/temporal');
  });

  it('is below ~/.cache where that is unset or relative', () => {
    expect(cachedCli({ HOME: '/h' })).toBe('/h/.cache/portico/temporal-1.5.1/temporal');
    expect(cachedCli({ XDG_CACHE_HOME: 'c', HOME: '/h' })).toBe('/h/.cache/portico/temporal-1.5.1/temporal');
  });
});

describe('where nothing is found', () => {
  /** Without a network and with a Go that behaves as told. */
  const cutOff = (go: string) => {
    const bin = join(folder, 'gobin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'go'), `#!/bin/sh\n${go}\n`);
    chmodSync(join(bin, 'go'), 0o755);
    return { ...bare(), PATH: `${bin}:/usr/bin:/bin`, HTTPS_PROXY: 'http://127.0.0.1:9' };
  };
  const builds = `sleep 0.3; printf '#!/bin/sh\\necho temporal version 1.5.1\\n' > "$GOBIN/temporal"; chmod +x "$GOBIN/temporal"`;

  it('builds it with Go into the cache folder when the download is refused', async () => {
    const environment = cutOff(builds);
    await expect(provideTemporalCli({ environment, log })).resolves.toBe(cachedCli(environment));
    expect(findTemporalCli({ environment, log })).toBe(cachedCli(environment));
    expect(lines.join('\n')).toMatch(/Downloading.*\n.*did not work.*\nBuilding/);
  });

  it('lists every way out when Go fails too, and leaves nothing behind that looks like a program', async () => {
    const environment = cutOff('echo half > "$GOBIN/temporal"; echo "no module" >&2; exit 1');
    await expect(provideTemporalCli({ environment, log })).rejects.toThrow(
      /TEMPORAL_ADDRESS[^]*TEMPORAL_CLI_PATH[^]*portico\/temporal-1.5.1[^]*downloaded[^]*install Go/,
    );
    expect(findTemporalCli({ environment, log })).toBeUndefined();
    expect(lines.join('\n')).toContain('no module');
  });

  it('installs a whole program for two that ask at the same time, and leaves no draft', async () => {
    const environment = cutOff(builds);
    const both = await Promise.all([
      provideTemporalCli({ environment, log }),
      provideTemporalCli({ environment, log }),
    ]);
    expect(both).toEqual([cachedCli(environment), cachedCli(environment)]);
    expect(findTemporalCli({ environment, log })).toBe(cachedCli(environment));
    expect(readdirSync(dirname(dirname(cachedCli(environment))))).toEqual(['temporal-1.5.1']);
  });

  it('removes what an installation left that was killed long ago, and nothing of one that is under way', async () => {
    const environment = cutOff(builds);
    const cache = dirname(dirname(cachedCli(environment)));
    for (const draft of ['draft-old', 'draft-new']) mkdirSync(join(cache, draft), { recursive: true });
    const longAgo = new Date(Date.now() - 2 * 86_400_000);
    utimesSync(join(cache, 'draft-old'), longAgo, longAgo);
    await provideTemporalCli({ environment, log });
    expect(readdirSync(cache).sort()).toEqual(['draft-new', 'temporal-1.5.1']);
  });

  it('gives up at once when it is told to stop', async () => {
    const environment = cutOff('exec sleep 60');
    const stop = new AbortController();
    const provided = provideTemporalCli({
      environment,
      log: (line) => line.startsWith('Building') && stop.abort(),
      signal: stop.signal,
    });
    await expect(provided).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
  });
});
