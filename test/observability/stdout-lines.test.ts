import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const project = join(import.meta.dirname, '../..');
const script = join(project, 'test/fixtures/log-writer.ts');

interface Line {
  readonly n?: number;
  readonly msg: string;
  readonly count?: number;
}

/**
 * Runs a process that writes so many lines and ends in that way, and gives the lines. Its output is what Node gives its
 * children, a socket, or else a pipe that nobody reads before the process said that it had written everything.
 */
async function linesOf(options: { count: number; end: string; to: 'socket' | 'pipe' }): Promise<Line[]> {
  const folder = mkdtempSync(join(tmpdir(), 'portico-log-'));
  const written = join(folder, 'written');
  const command = `exec "${process.execPath}" --import tsx "${script}" ${options.count} ${options.end}`;
  const reader = `while [ ! -e "${written}" ]; do sleep 0.1; done; cat`;
  const child = spawn('sh', ['-c', options.to === 'pipe' ? `(${command}) | (${reader})` : command], { cwd: project });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    if (chunk.includes('everything is written')) writeFileSync(written, '');
  });
  await new Promise((resolve) => child.once('close', resolve));
  rmSync(folder, { recursive: true });
  expect(text.endsWith('\n')).toBe(true);
  const lines = text.trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Line);
}

describe.each(['throw', 'exit', 'finish', 'signal'])('what was logged before a process ends by "%s"', (end) => {
  const expected = [...Array.from({ length: 300 }, (_, n) => n), 'last'];

  // A pipe holds 64 KiB: a process whose writes waited for a reader would never end here.
  it.each(['socket', 'pipe'] as const)('is all there, in its order, in a %s', async (to) => {
    const lines = await linesOf({ count: 300, end, to });
    expect(lines.map(({ n, msg }) => n ?? msg)).toEqual(expected);
  });
});

describe('what nobody reads for too long', () => {
  it('is dropped and counted, so that memory stays bounded', async () => {
    const lines = await linesOf({ count: 20_000, end: 'linger', to: 'pipe' });
    const kept = lines.filter(({ msg }) => msg === 'line').length;
    const told = lines.find(({ msg }) => msg.startsWith('log lines were dropped'));
    expect(kept).toBeGreaterThan(10_000);
    expect(told?.count).toBe(20_000 - kept);
    expect(lines.at(-1)?.msg).toBe('last');
  });
});
